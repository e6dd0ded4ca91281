//! Removes entries from a tier.

use futures::{StreamExt, TryStreamExt};
use media_cache_entry_files::KeyDigest;
use media_cache_maintenance::EntryFilter;

use crate::failure::StoreFailure;
use crate::inventory::{Inventory, OldObject};

/// The number of entries that are removed concurrently.
const CONCURRENCY: usize = 16;

impl Inventory {
    /// Removes an entry. Returns whether it had a sidecar.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        self.store.remove(digest).await
    }

    /// Removes all entries that match, by the URLs in their sidecars, which are all read unless every entry matches. Returns their number.
    /// [`EntryFilter::All`] also removes bodies without a sidecar, which are not counted.
    ///
    /// # Errors
    /// If the store fails. What was removed until then stays removed.
    pub async fn remove_matching(&self, filter: &EntryFilter) -> Result<u64, StoreFailure> {
        let entries = self.entries().await?;
        let matching: Vec<KeyDigest> = match filter {
            EntryFilter::All => {
                let count = entries.iter().filter(|entry| entry.sidecar_bytes.is_some()).count() as u64;
                return self.remove_all(entries.into_iter().map(|entry| entry.digest).collect()).await.map(|()| count);
            }
            filter => {
                let sidecars = self.sidecars(entries).try_filter_map(|(entry, sidecar)| {
                    let url = sidecar.ok().flatten().map(|sidecar| sidecar.url);
                    let digest = url.is_some_and(|url| filter.matches(&url)).then_some(entry.digest);
                    std::future::ready(Ok(digest))
                });
                sidecars.try_collect().await?
            }
        };
        let count = matching.len() as u64;
        self.remove_all(matching).await.map(|()| count)
    }

    /// Deletes leases and lists that are no longer needed.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete(&self, old_objects: &[OldObject]) -> Result<(), StoreFailure> {
        let deletions = futures::stream::iter(old_objects).map(|object| self.store.delete(&object.path));
        deletions.buffer_unordered(CONCURRENCY).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    /// Removes entries.
    ///
    /// # Errors
    /// If the store fails. What was removed until then stays removed.
    pub async fn remove_all(&self, digests: Vec<KeyDigest>) -> Result<(), StoreFailure> {
        let removals = futures::stream::iter(digests).map(|digest| self.store.delete_entry(digest));
        removals.buffer_unordered(CONCURRENCY).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    /// Removes these entries, and returns how many of them had a sidecar, which takes a further request for each.
    ///
    /// # Errors
    /// If the store fails. What was removed until then stays removed.
    pub async fn remove_each(&self, digests: Vec<KeyDigest>) -> Result<u64, StoreFailure> {
        let removals = futures::stream::iter(digests).map(|digest| self.remove(digest));
        let count = |count, existed| std::future::ready(Ok(count + u64::from(existed)));
        removals.buffer_unordered(CONCURRENCY).try_fold(0, count).await
    }
}
