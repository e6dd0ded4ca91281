//! Writes entries to an archive. Each is checked first; a damaged entry is reported and skipped.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use media_cache_entry_files::{DigestMap, FileKind, KeyDigest, encode_hex};
use media_cache_key_rules::EntryFilter;
use serde_json::Value;

use crate::archive::{self, ArchiveError, Member};
use crate::body;
use crate::check::StoredEntry;
use crate::damage::Damage;
use crate::directory::EntryDirectory;

/// Bodies up to this size are read into memory first, so that a body that changes during the export is skipped. A larger body that changes
/// ends the export.
const IN_MEMORY: u64 = 8 << 20;

/// Exports a directory into an archive.
pub struct Exporter<W> {
    out: W,
    /// The entries that the archive already has.
    known: DigestMap<()>,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// Entries that were written.
    pub exported: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
    /// Entries that the continued archive already had.
    pub known: u64,
    /// Entries that were skipped because they are damaged.
    pub damaged: u64,
}

/// The progress of an export.
#[derive(Debug)]
pub enum ExportEvent<'a> {
    /// The directory was listed, and has this many entries to process.
    Listed(u64),
    /// One more entry was processed.
    Done,
    /// An entry was skipped.
    Damaged(KeyDigest, &'a Damage),
}

/// Why an export cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The directory cannot be listed.
    #[error("cannot list the directory: {0}")]
    List(io::Error),
    /// The archive cannot be written.
    #[error("cannot write the archive: {0}")]
    Write(#[from] io::Error),
    /// The file to continue is not an export archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A large body changed while it was written.
    #[error("the body of {0} changed while it was exported; the archive ends before this entry, and can be continued")]
    Changed(KeyDigest),
}

impl Exporter<File> {
    /// Continues an interrupted or a complete archive, and keeps its complete entries. The file must be open for reading and writing.
    ///
    /// # Errors
    /// If the file is not an export archive, or cannot be read or written.
    pub fn resume(mut file: File) -> Result<Self, ExportError> {
        let length = file.metadata()?.len();
        let (mut known, mut end) = (DigestMap::default(), 0);
        while let Some((digest, after)) = whole_entry(&mut file, end, length)? {
            known.insert(digest, ());
            end = after;
        }
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(Self { out: file, known })
    }
}

/// The digest of the entry at an offset, and where it ends. `None` if it is incomplete.
fn whole_entry(file: &mut File, start: u64, length: u64) -> Result<Option<(KeyDigest, u64)>, ArchiveError> {
    let Some((sidecar, after)) = whole_member(file, start, length)? else { return Ok(None) };
    let Some((body, after)) = whole_member(file, after, length)? else { return Ok(None) };
    match (sidecar.kind, body.kind) {
        (FileKind::Sidecar(digest), FileKind::Media(other)) if digest == other => Ok(Some((digest, after))),
        _ => Err(ArchiveError::Invalid(format!("{} is not followed by its body", sidecar.name))),
    }
}

fn whole_member(file: &mut File, start: u64, length: u64) -> Result<Option<(Member, u64)>, ArchiveError> {
    file.seek(SeekFrom::Start(start))?;
    let member = match archive::next_member(file) {
        Ok(Some(member)) => member,
        Ok(None) | Err(ArchiveError::Truncated) => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = file.stream_position()? + member.size + archive::padding(member.size).len() as u64;
    Ok((end <= length).then_some((member, end)))
}

impl<W: Write> Exporter<W> {
    /// A new archive.
    pub fn new(out: W) -> Self {
        Self { out, known: DigestMap::default() }
    }

    /// Writes all matching entries, and the end of the archive. Entries that a service adds or removes during the export may be missing.
    ///
    /// # Errors
    /// If the directory cannot be listed, a large body changes, or the archive cannot be written. The archive can then be continued.
    pub fn run(
        mut self,
        directory: &EntryDirectory,
        filter: &EntryFilter,
        observer: &mut dyn FnMut(ExportEvent<'_>),
    ) -> Result<ExportSummary, ExportError> {
        let digests = directory.stored().map_err(ExportError::List)?;
        observer(ExportEvent::Listed(digests.len() as u64));
        let mut summary = ExportSummary::default();
        for digest in digests {
            if self.known.contains_key(&digest) {
                summary.known += 1;
            } else if let Err(damage) = self.export(directory, digest, filter, &mut summary)? {
                summary.damaged += 1;
                observer(ExportEvent::Damaged(digest, &damage));
            }
            observer(ExportEvent::Done);
        }
        archive::write_end(&mut self.out)?;
        self.out.flush()?;
        Ok(summary)
    }

    fn export(
        &mut self,
        directory: &EntryDirectory,
        digest: KeyDigest,
        filter: &EntryFilter,
        summary: &mut ExportSummary,
    ) -> Result<Result<(), Damage>, ExportError> {
        // The sidecar shows whether an entry matches, so the bodies of other entries are not read.
        match directory.read_sidecar(&digest.sidecar_file(), digest) {
            Ok(Some(read)) if filter.matches(&read.sidecar.url) => {}
            Ok(_) => return Ok(Ok(())),
            Err(damage) => return Ok(Err(damage)),
        }
        let mut entry = match directory.entry(digest) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Ok(())),
            Err(damage) => return Ok(Err(damage)),
        };
        let (size, modified) = (entry.sidecar.size, entry.sidecar.metadata.stored_at / 1000);
        let small = if size <= IN_MEMORY {
            let mut bytes = Vec::new();
            let unreadable = |error| Damage::Unreadable { file: digest.media_file(), error };
            if let Err(damage) = (&entry.body).take(size).read_to_end(&mut bytes).map_err(unreadable) {
                return Ok(Err(damage));
            }
            if body::digest(&mut &*bytes, |_| {})? != entry.digest {
                return Ok(Err(Damage::Digest));
            }
            Some(bytes)
        } else {
            None
        };
        let json = json_with_digest(&entry);
        self.out.write_all(&archive::header(&digest.sidecar_file(), json.len() as u64, modified))?;
        self.out.write_all(&json)?;
        self.out.write_all(archive::padding(json.len() as u64))?;
        self.out.write_all(&archive::header(&digest.media_file(), size, modified))?;
        match small {
            Some(bytes) => self.out.write_all(&bytes)?,
            None => self.copy(&mut entry, digest)?,
        }
        self.out.write_all(archive::padding(size))?;
        summary.exported += 1;
        summary.bytes += size;
        Ok(Ok(()))
    }

    fn copy(&mut self, entry: &mut StoredEntry, digest: KeyDigest) -> Result<(), ExportError> {
        let mut copying = Copying { input: (&entry.body).take(entry.sidecar.size), out: &mut self.out, failed: None, copied: 0 };
        let found = body::digest(&mut copying, |_| {});
        let Copying { failed, copied, .. } = copying;
        match (failed, found) {
            (Some(error), _) => Err(error.into()),
            (None, Ok(found)) if found == entry.digest && copied == entry.sidecar.size => Ok(()),
            (None, _) => Err(ExportError::Changed(digest)),
        }
    }
}

/// A reader that copies everything it reads to a writer.
struct Copying<'a, R, W> {
    input: R,
    out: &'a mut W,
    failed: Option<io::Error>,
    copied: u64,
}

impl<R: Read, W: Write> Read for Copying<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Err(error) = self.out.write_all(&buffer[..read]) {
            self.failed = Some(error);
            return Ok(0);
        }
        self.copied += read as u64;
        Ok(read)
    }
}

/// The bytes of the sidecar. If another program wrote it without a digest of the body, the digest is added, so that an import can check the
/// body.
fn json_with_digest(entry: &StoredEntry) -> Vec<u8> {
    if entry.sidecar.body_digest.is_some() {
        return entry.json.clone();
    }
    let known = || entry.sidecar.clone().with_body_digest(entry.digest).to_json();
    match serde_json::from_slice(&entry.json) {
        // Keeps fields that only the other program uses.
        Ok(Value::Object(mut fields)) => {
            fields.insert("sha256".into(), encode_hex(&entry.digest).into());
            serde_json::to_vec(&fields).unwrap_or_else(|_| known())
        }
        _ => known(),
    }
}

#[cfg(test)]
mod tests;
