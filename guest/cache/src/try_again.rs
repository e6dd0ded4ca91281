//! Finds out whether the disk works again, without waiting for a request that needs it.

use media_cache_entry_files::{KeyDigest, TEMPORARY};

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::cache::Cache;
use crate::clock;
use crate::disk::Disk;
use crate::disk_health::Operation;
use crate::entry::Evicted;

/// The size of the file that is written to find out whether files can be, in bytes.
const PROBE_BYTES: usize = 16 * 1024;

/// The time between two attempts, in nanoseconds.
const INTERVAL: u64 = 1_000_000_000;

/// The number of entries whose files are deleted in one attempt.
const DELETIONS: usize = 64;

impl Cache {
    /// Tries again what failed: to delete files, and to write one.
    pub(crate) async fn try_again(&self, disk: &Disk) {
        let (deletions, store) = {
            let state = &mut *self.state.borrow_mut();
            let now = clock::ticks();
            if !(state.disk_health.fails(Operation::Delete) || state.disk_health.fails(Operation::Store))
                || self.tried_again.get().is_some_and(|last| now < last.saturating_add(INTERVAL))
            {
                return;
            }
            self.tried_again.set(Some(now));
            if state.remains.undeleted().next().is_none() {
                state.disk_health.succeeded(Operation::Delete);
            }
            // An entry that is being stored under the same name has its own files there.
            let deletions = state.remains.undeleted().filter(|digest| state.index.find(digest).is_none()).take(DELETIONS);
            (deletions.collect::<Vec<_>>(), state.disk_health.fails(Operation::Store))
        };
        self.delete_evicted(deletions.into_iter().map(|digest| Evicted { digest, disk_size: 0 })).await;
        if store && self.can_write(disk).await {
            self.state.borrow_mut().disk_health.succeeded(Operation::Store);
        }
    }

    async fn can_write(&self, disk: &Disk) -> bool {
        // If it is left behind, a start removes it, as any temporary file.
        let name = format!("{}{TEMPORARY}", KeyDigest::of("").media_file());
        let written = disk.create_anew(name.clone(), &Blob::from_bytes(&[0; PROBE_BYTES])).await;
        let removed = disk.remove(name).await;
        written.is_ok() && removed.is_ok()
    }
}
