//! Removes one entry.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::cache::Cache;
use crate::entry::Entry;
use crate::state::State;

/// The outcome of removing an entry from the index.
enum Removal {
    Removed,
    Absent,
    /// The entry is being written.
    InUse,
}

impl Cache {
    /// See the WIT.
    pub async fn remove(&self, url: &str) -> Result<bool, StoreError> {
        let loaded = self.ensure_loaded().await;
        let key = self.lookup_key(url);
        self.state.borrow_mut().failures.forget(&key.request_digest());
        loaded?;
        loop {
            let fill = match self.state.borrow_mut().remove_committed(&key.digest) {
                Removal::Removed => break,
                Removal::Absent => return Ok(false),
                Removal::InUse => self.fills.follow(&key.digest),
            };
            match fill {
                Some(written) => drop(written.await),
                None => return Ok(false),
            }
        }
        match self.delete_files([key.digest]).await {
            Ok(()) => Ok(true),
            Err(failure) => Err(StoreError::Disk(failure.reason)),
        }
    }
}

impl State {
    fn remove_committed(&mut self, digest: &KeyDigest) -> Removal {
        let Some(slot) = self.index.find(digest) else { return Removal::Absent };
        if self.index.get(slot).is_some_and(Entry::is_being_written) {
            return Removal::InUse;
        }
        self.remove_entry(slot);
        Removal::Removed
    }
}
