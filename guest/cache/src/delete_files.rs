//! Deletes the files of entries that are no longer in the index.

use media_cache_entry_files::KeyDigest;

use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::disk_health::Operation;
use crate::entry::Evicted;
use crate::leftovers::delete_new_files;
use crate::mutants::Mutant;
use crate::single_flight::Role;

/// Entries whose files could not all be deleted. The remaining files take up space and count against the budget until they are deleted.
#[derive(Debug)]
pub(crate) struct DeleteFailure {
    /// The number of entries.
    pub entries: u64,
    /// Why the first of them could not be deleted.
    pub reason: String,
}

impl Cache {
    /// Deletes the files of evicted or damaged entries. A failure is reported only through the health of the cache.
    pub(crate) async fn delete_evicted(&self, entries: impl IntoIterator<Item = Evicted>) {
        let _ = self.delete_files(entries).await;
    }

    /// Deletes the files of entries, the sidecar first, since an entry does not exist without it. Returns whether there were any sidecars.
    pub(crate) async fn delete_files(&self, entries: impl IntoIterator<Item = Evicted>) -> Result<bool, DeleteFailure> {
        // All deletions are pending from now on: nothing may write under these names while the first files are being deleted.
        let pending: Vec<_> = entries.into_iter().map(|entry| (entry, self.pending_deletes.join(&entry.digest))).collect();
        let Some(disk) = self.disk.borrow().clone() else { return Ok(false) };
        self.state.borrow_mut().deleting_bytes += pending.iter().map(|(entry, _)| entry.disk_size).sum::<u64>();
        let (mut failure, mut deleted_any): (Option<DeleteFailure>, bool) = (None, false);
        for (number, (entry, role)) in pending.into_iter().enumerate() {
            let leader = match role {
                Role::Leader(leader) => leader,
                // Another call is already deleting the same files; wait for its outcome.
                Role::Follower(deleted) => {
                    let _ = deleted.await;
                    self.state.borrow_mut().deleting_bytes -= entry.disk_size;
                    if self.state.borrow().remains.has(&entry.digest) {
                        let reason = || format!("cannot delete the files of {}", entry.digest);
                        failure.get_or_insert_with(|| DeleteFailure { entries: 0, reason: reason() }).entries += 1;
                    }
                    continue;
                }
            };
            if number > 0 {
                // A deletion can take milliseconds on a busy disk.
                wit_bindgen::yield_async().await;
            }
            let deleted = delete_pair(&disk, entry.digest).await;
            self.record_deleted(entry, &deleted);
            leader.finish(|| ());
            match deleted {
                Ok(existed) => deleted_any |= existed,
                Err(reason) => failure.get_or_insert(DeleteFailure { entries: 0, reason }).entries += 1,
            }
        }
        failure.map_or(Ok(deleted_any), Err)
    }

    fn record_deleted(&self, entry: Evicted, deleted: &Result<bool, String>) {
        let state = &mut *self.state.borrow_mut();
        state.deleting_bytes -= entry.disk_size;
        match deleted {
            Ok(_) => {
                state.remains.forget(&entry.digest);
                let has_leftovers = self.disk.borrow().as_ref().is_some_and(|disk| !disk.leftovers().is_empty());
                if !has_leftovers && state.remains.undeleted().next().is_none() {
                    state.disk_health.succeeded(Operation::Delete);
                }
            }
            Err(reason) => {
                state.remains.add_undeleted(entry.digest, entry.disk_size);
                state.disk_health.failed(Operation::Delete, reason.clone(), clock::now());
            }
        }
    }
}

/// Tries to delete both files, even if one of them cannot be deleted. Returns whether there was a sidecar.
async fn delete_pair(disk: &Disk, digest: KeyDigest) -> Result<bool, String> {
    // Otherwise the next start could mistake the new files for those of the entry.
    delete_new_files(disk, digest)
        .await
        .map_err(|error| format!("cannot delete the new files of {digest}: {}", describe(&error)))?;
    let [sidecar, media] = [digest.sidecar_file(), digest.media_file()];
    let outcomes = [disk.remove(sidecar.clone()).await, disk.remove(media.clone()).await];
    let mut existed = false;
    for (number, (name, outcome)) in [sidecar, media].into_iter().zip(outcomes).enumerate() {
        match outcome {
            Ok(removed) => existed |= removed && number == 0,
            Err(_) if Mutant::IgnoresFailedDeletes.is_on() => existed = true,
            Err(error) => return Err(format!("cannot delete {name}: {}", describe(&error))),
        }
    }
    Ok(existed)
}
