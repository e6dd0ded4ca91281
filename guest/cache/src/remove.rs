//! Removes one entry.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::cache::Cache;
use crate::entry::{Entry, Evicted};
use crate::state::State;

/// The outcome of removing an entry from the index.
enum Removal {
    /// These files have to be deleted. `known` says whether the entry was in the index.
    Remove {
        files: Evicted,
        known: bool,
    },
    Absent,
    /// The entry is being written.
    InUse,
}

impl Cache {
    /// Implements `remove`, which the WIT documents.
    pub async fn remove(&self, url: &str) -> Result<bool, StoreError> {
        let opened = self.ensure_open().await;
        let key = self.lookup_key(url);
        self.state.borrow_mut().failures.forget(&key.request_digest());
        opened?;
        let _permit = self.permits.acquire().ok_or(StoreError::NotReady)?;
        let was_arriving = self.discard_arriving(&key.digest).await;
        let (files, known) = loop {
            let fill = match self.state.borrow_mut().remove_committed(&key.digest) {
                Removal::Remove { files, known } => break (files, known),
                Removal::Absent => return Ok(was_arriving),
                Removal::InUse => self.fills.watch(&key.digest),
            };
            match fill {
                Some(written) => drop(written.await),
                None => return Ok(was_arriving),
            }
        };
        match self.delete_files([files]).await {
            Ok(existed) => Ok(known || existed || was_arriving),
            Err(failure) => {
                self.keep_url(&key.digest, &key.cache_key).await;
                Err(StoreError::Disk(failure.reason))
            }
        }
    }

    /// Discards media whose body is arriving. If it has arrived and is being stored, this waits until its files have been deleted again.
    /// Returns whether there was such media.
    pub(crate) async fn discard_arriving(&self, digest: &KeyDigest) -> bool {
        let was_arriving = self.arriving.note_removed(digest);
        // A removal ends the fill of a body that is still arriving, so this is a fill that is storing its media.
        let storing = if was_arriving { self.fills.watch(digest) } else { None };
        if let Some(storing) = storing {
            let _ = storing.await;
        }
        was_arriving
    }
}

impl State {
    fn remove_committed(&mut self, digest: &KeyDigest) -> Removal {
        match self.index.find(digest) {
            Some(slot) => {
                let Some(entry) = self.index.get(slot) else { return Removal::Absent };
                if entry.is_being_written() {
                    return Removal::InUse;
                }
                let (files, known) = (Evicted::from(entry), entry.is_stored());
                self.remove_entry(slot);
                Removal::Remove { files, known }
            }
            // While the directory is being loaded, the files are looked up by name. Deletions that failed before are retried.
            None => {
                let looked_for = self.loading.as_mut().is_some_and(|loading| loading.removed.insert(*digest, ()).is_none());
                if looked_for || self.remains.has(digest) {
                    return Removal::Remove { files: Evicted { digest: *digest, disk_size: 0 }, known: false };
                }
                Removal::Absent
            }
        }
    }

    /// Removes an entry and returns its files, unless it no longer exists or is being written.
    pub(crate) fn take_entry(&mut self, slot: crate::index::Slot) -> Option<Evicted> {
        let files = self.index.get(slot).filter(|entry| !entry.is_being_written()).map(|entry: &Entry| Evicted::from(entry))?;
        self.remove_entry(slot);
        Some(files)
    }
}
