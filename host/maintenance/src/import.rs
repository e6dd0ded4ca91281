//! Reads entries from an archive into a destination.
//!
//! Nothing in an archive is trusted: a name is never a path ([`archive`]), a sidecar must match its name, a body must have the size and the
//! digest in the sidecar, and both have size limits. An invalid entry is reported and skipped. An invalid archive ends the import; entries
//! imported up to that point are kept.

use std::io::{self, Read};

use media_cache_entry_files::{FileKind, KeyDigest, LARGEST_SIDECAR, Sidecar};
use sha2::{Digest, Sha256};

use crate::archive::{self, ArchiveError};

/// The limits of an import.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum size of a body, in bytes.
    pub max_body_bytes: u64,
}

/// An entry of an archive.
#[derive(Debug)]
pub struct Incoming {
    /// The digest of its cache key.
    pub digest: KeyDigest,
    /// The parsed sidecar. It has the size and the digest of the body.
    pub sidecar: Sidecar,
    /// The bytes of the sidecar.
    pub json: Vec<u8>,
    /// The expected SHA-256 digest of the body.
    pub body_digest: [u8; 32],
}

/// Whether an entry is already stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing is stored for the URL.
    Absent,
    /// The same body is stored.
    Same,
    /// Another body is stored, which is kept.
    Different,
}

/// Why an entry was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// This entry was not stored, but others may be.
    #[error("{0}")]
    Refused(String),
    /// No further entry can be stored.
    #[error("{0}")]
    Fatal(String),
}

/// The destination of an import.
pub trait Destination {
    /// Whether an entry is already stored.
    ///
    /// # Errors
    /// If this cannot be determined.
    fn presence(&mut self, entry: &Incoming) -> Result<Presence, StoreFailure>;

    /// Stores an entry that is absent. The entry must not be visible before [`IncomingBody::check`] has succeeded.
    ///
    /// # Errors
    /// If it cannot be stored. In that case, nothing is left behind.
    fn store(&mut self, entry: &Incoming, body: &mut IncomingBody<'_>) -> Result<(), StoreFailure>;
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Entries that were stored.
    pub imported: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
    /// Entries that were already stored with the same body.
    pub known: u64,
    /// Entries that were already stored with another body, which is kept.
    pub kept: u64,
    /// Entries that were not stored.
    pub refused: u64,
}

/// The progress of an import.
#[derive(Debug)]
pub enum ImportEvent<'a> {
    /// An entry with a body of this many bytes was read.
    Done(u64),
    /// An entry was not stored: its URL, or the name of its file, and why.
    Refused(&'a str, &'a str),
}

/// Why an import cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The archive is invalid or truncated.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The destination accepts no more entries.
    #[error("{0}")]
    Destination(String),
}

/// The body of an entry in an archive.
pub struct IncomingBody<'a> {
    input: &'a mut dyn Read,
    left: u64,
    hasher: Sha256,
    expected: [u8; 32],
    failure: Option<ArchiveError>,
}

impl IncomingBody<'_> {
    /// Checks that the whole body was read, and that it has the digest in the sidecar.
    ///
    /// # Errors
    /// If not all of it was read, or it does not have the digest.
    pub fn check(&self) -> Result<(), StoreFailure> {
        let found: [u8; 32] = self.hasher.clone().finalize().into();
        if self.left == 0 && found == self.expected {
            return Ok(());
        }
        Err(StoreFailure::Refused("the body does not have the SHA-256 digest in the sidecar".into()))
    }
}

impl Read for IncomingBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = match self.input.read(&mut buffer[..wanted]) {
            Ok(0) => {
                self.failure = Some(ArchiveError::Truncated);
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(read) => read,
            Err(error) => {
                let kind = error.kind();
                if kind != io::ErrorKind::Interrupted {
                    self.failure = Some(error.into());
                }
                return Err(kind.into());
            }
        };
        self.left -= read as u64;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Imports all entries of an archive. The summary is returned even if the import ended early; another run continues it.
pub fn import(
    input: &mut dyn Read,
    limits: &Limits,
    destination: &mut dyn Destination,
    observer: &mut dyn FnMut(ImportEvent<'_>),
) -> (ImportSummary, Result<(), ImportError>) {
    let mut summary = ImportSummary::default();
    loop {
        match import_next(input, limits, destination, &mut summary, observer) {
            Ok(true) => {}
            Ok(false) => return (summary, Ok(())),
            Err(error) => return (summary, Err(error)),
        }
    }
}

/// Imports the next entry. Returns whether there was one.
fn import_next(
    input: &mut dyn Read,
    limits: &Limits,
    destination: &mut dyn Destination,
    summary: &mut ImportSummary,
    observer: &mut dyn FnMut(ImportEvent<'_>),
) -> Result<bool, ImportError> {
    let Some(member) = archive::next_member(input)? else { return Ok(false) };
    let FileKind::Sidecar(digest) = member.kind else {
        return Err(ArchiveError::Invalid(format!("{} is not preceded by its sidecar", member.name)).into());
    };
    if member.size > LARGEST_SIDECAR {
        return Err(ArchiveError::Invalid(format!("{} is too large for a sidecar", member.name)).into());
    }
    let mut json = Vec::new();
    input.take(member.size).read_to_end(&mut json).map_err(ArchiveError::from)?;
    archive::skip(input, member.size - json.len() as u64, member.size)?;
    let body = archive::next_member(input)?.filter(|body| body.kind == FileKind::Media(digest));
    let body = body.ok_or_else(|| ArchiveError::Invalid(format!("{} is not followed by its body", member.name)))?;

    let sidecar = Sidecar::from_json(&json).filter(|sidecar| KeyDigest::of(&sidecar.url) == digest);
    let name = sidecar.as_ref().map_or_else(|| digest.to_string(), |sidecar| sidecar.url.clone());
    let parsed = check(digest, sidecar, json, body.size, limits);
    let expected = parsed.as_ref().map_or([0; 32], |entry| entry.body_digest);
    let mut reader = IncomingBody { input, left: body.size, hasher: Sha256::new(), expected, failure: None };
    let outcome = match parsed {
        Ok(entry) => store(&entry, destination, &mut reader, summary),
        Err(why) => Err(StoreFailure::Refused(why)),
    };
    let IncomingBody { left, failure, .. } = reader;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    match outcome {
        Ok(()) => {}
        Err(StoreFailure::Refused(why)) => {
            summary.refused += 1;
            observer(ImportEvent::Refused(&name, &why));
        }
        Err(StoreFailure::Fatal(why)) => return Err(ImportError::Destination(why)),
    }
    archive::skip(input, left, body.size)?;
    observer(ImportEvent::Done(body.size));
    Ok(true)
}

/// The entry of these files, if it may be imported.
fn check(digest: KeyDigest, sidecar: Option<Sidecar>, json: Vec<u8>, size: u64, limits: &Limits) -> Result<Incoming, String> {
    let sidecar = sidecar.ok_or("the sidecar does not describe this entry")?;
    if sidecar.size != size {
        return Err(format!("the body has {size} bytes, but the sidecar says {}", sidecar.size));
    }
    if size > limits.max_body_bytes {
        return Err(format!("the body has {size} bytes, but the limit is {}", limits.max_body_bytes));
    }
    let body_digest = sidecar.body_digest.ok_or("the sidecar has no digest of the body")?;
    Ok(Incoming { digest, sidecar, json, body_digest })
}

fn store(
    entry: &Incoming,
    destination: &mut dyn Destination,
    body: &mut IncomingBody<'_>,
    summary: &mut ImportSummary,
) -> Result<(), StoreFailure> {
    match destination.presence(entry)? {
        Presence::Same => summary.known += 1,
        Presence::Different => summary.kept += 1,
        Presence::Absent => {
            destination.store(entry, body)?;
            summary.imported += 1;
            summary.bytes += entry.sidecar.size;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
