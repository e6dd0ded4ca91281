//! Saves the index for the next start.

use media_cache_entry_files::SNAPSHOT;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::cache::Cache;
use crate::disk::describe;
use crate::single_flight::Role;
use crate::snapshot;

impl Cache {
    /// See the WIT.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.ensure_loaded().await?;
        // One at a time, since they write the same file; and each writes for itself, since it knows more than the one before.
        let leader = loop {
            match self.checkpoints.join(&()) {
                Role::Leader(leader) => break leader,
                Role::Follower(written) => drop(written.await),
            }
        };
        let text = {
            let index = &self.state.borrow().index;
            let entries = index.coldest_first().filter_map(|slot| index.get(slot)).filter(|entry| entry.committed);
            snapshot::write(entries)
        };
        let disk = self.open_disk()?;
        let written = disk.write(SNAPSHOT.into(), &Blob::from_bytes(&text)).await;
        leader.finish(|| ());
        written.map_err(|error| StoreError::Disk(format!("cannot write {SNAPSHOT}: {}", describe(&error))))
    }
}
