//! Deletes the files of entries that are no longer in the index.

use media_cache_entry_files::KeyDigest;

use crate::cache::Cache;
use crate::disk::{Disk, describe};
use crate::single_flight::Role;

/// Entries whose files could not all be deleted. What remains takes up space, and the next start may find it again.
#[derive(Debug)]
pub(crate) struct DeleteFailure {
    /// The number of entries.
    pub entries: u64,
    /// Why the first of them could not be deleted.
    pub reason: String,
}

impl Cache {
    /// Deletes the files of evicted or damaged entries. A failure is not reported: the next start finds what remains.
    pub(crate) async fn delete_evicted(&self, digests: impl IntoIterator<Item = KeyDigest>) {
        let _ = self.delete_files(digests).await;
    }

    /// Deletes the files of entries, the sidecar first, since there is no entry without it.
    pub(crate) async fn delete_files(&self, digests: impl IntoIterator<Item = KeyDigest>) -> Result<(), DeleteFailure> {
        // All deletions are pending from now on: nobody may write under these names while the first ones are deleted.
        let pending: Vec<_> = digests.into_iter().map(|digest| (digest, self.pending_deletes.join(&digest))).collect();
        let Some(disk) = self.disk.borrow().clone() else { return Ok(()) };
        let mut failure: Option<DeleteFailure> = None;
        for (digest, role) in pending {
            // Whoever deletes the same files already does all there is to do.
            if let Role::Leader(leader) = role {
                let deleted = delete_pair(&disk, digest).await;
                leader.finish(|| ());
                if let Err(reason) = deleted {
                    failure.get_or_insert(DeleteFailure { entries: 0, reason }).entries += 1;
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Tries to delete both files, even if one of them cannot be deleted.
async fn delete_pair(disk: &Disk, digest: KeyDigest) -> Result<(), String> {
    let mut outcome = Ok(());
    for name in [digest.sidecar_file(), digest.media_file()] {
        if let Err(error) = disk.remove(name.clone()).await
            && outcome.is_ok()
        {
            outcome = Err(format!("cannot delete {name}: {}", describe(&error)));
        }
    }
    outcome
}
