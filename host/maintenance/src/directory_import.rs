//! Imports entries into a directory. The caller holds its lock.
//!
//! An entry is written as the cache writes it: first the body under its final name, which must not exist yet, then the sidecar under a
//! temporary name. Renaming the sidecar commits the entry. An interrupted import leaves behind at most a body without a sidecar, which the
//! next import replaces.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use media_cache_entry_files::{TEMPORARY, disk_size};

use crate::body;
use crate::damage::Damage;
use crate::directory::EntryDirectory;
use crate::import::{Destination, Incoming, IncomingBody, Presence, StoreFailure};

/// A directory to import entries into.
pub struct DirectoryImport {
    directory: EntryDirectory,
    budget: Option<u64>,
    used: u64,
}

impl DirectoryImport {
    /// Imports into a directory until its entries use `budget` bytes of disk, if there is a budget. Nothing is evicted.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn new(directory: EntryDirectory, budget: Option<u64>) -> io::Result<Self> {
        let mut used = 0;
        for file in directory.files()? {
            let (name, _) = file?;
            // A file that was removed in the meantime uses nothing.
            used += fs::symlink_metadata(directory.file(&name)).map_or(0, |metadata| disk_size(metadata.len(), 0));
        }
        Ok(Self { directory, budget, used })
    }

    /// Makes the imported entries survive a power failure.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.directory.path())?)?)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.directory.file(name))
    }

    fn write_body(&self, name: &str, body: &mut IncomingBody<'_>) -> io::Result<()> {
        let mut file = self.create(name)?;
        body::pieces(body, |piece| file.write_all(piece))
    }

    fn write_sidecar(&self, name: &str, json: &[u8]) -> io::Result<()> {
        let temporary = format!("{name}{TEMPORARY}");
        match fs::remove_file(self.directory.file(&temporary)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.create(&temporary)?.write_all(json)?,
        }
        fs::rename(self.directory.file(&temporary), self.directory.file(name))
    }

    fn failed(&self, error: &io::Error) -> StoreFailure {
        StoreFailure::Fatal(format!("cannot write to {}: {error}", self.directory.path().display()))
    }
}

impl Destination for DirectoryImport {
    fn presence(&mut self, entry: &Incoming) -> Result<Presence, StoreFailure> {
        let stored = match self.directory.read_sidecar(&entry.digest.sidecar_file(), entry.digest) {
            Ok(Some(stored)) => stored.sidecar,
            Err(unreadable @ Damage::Unreadable { .. }) => return Err(StoreFailure::Refused(unreadable.to_string())),
            // A damaged entry is replaced.
            Ok(None) | Err(_) => return Ok(Presence::Absent),
        };
        let mut file = match self.directory.open(&entry.digest.media_file()) {
            Ok(Some((file, metadata))) if metadata.len() == stored.size => file,
            Err(unreadable @ Damage::Unreadable { .. }) => return Err(StoreFailure::Refused(unreadable.to_string())),
            Ok(_) | Err(_) => return Ok(Presence::Absent),
        };
        let digest = match stored.body_digest {
            Some(digest) => digest,
            None => body::digest(&mut file, |_| {}).map_err(|error| StoreFailure::Refused(error.to_string()))?,
        };
        Ok(if digest == entry.body_digest { Presence::Same } else { Presence::Different })
    }

    fn store(&mut self, entry: &Incoming, body: &mut IncomingBody<'_>) -> Result<(), StoreFailure> {
        let needed = disk_size(entry.sidecar.size, entry.json.len() as u64);
        if let Some(budget) = self.budget.filter(|budget| self.used.saturating_add(needed) > *budget) {
            return Err(StoreFailure::Refused(format!("it does not fit in the budget of {budget} bytes")));
        }
        // The remains of an interrupted import, or a damaged entry.
        self.directory.remove(entry.digest).map_err(|error| StoreFailure::Refused(error.to_string()))?;
        let (name, sidecar) = (entry.digest.media_file(), entry.digest.sidecar_file());
        let written = self.write_body(&name, body).map_err(|error| self.failed(&error)).and_then(|()| body.check());
        let written = written.and_then(|()| self.write_sidecar(&sidecar, &entry.json).map_err(|error| self.failed(&error)));
        if written.is_err() {
            // The error of the write is returned. The next import replaces what remains.
            let _ = self.directory.delete(name);
        } else {
            self.used += needed;
        }
        written
    }
}
