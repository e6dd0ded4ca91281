//! Reduces a tier to a size.

use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use crate::failure::StoreFailure;
use crate::inventory::{Inventory, LEFTOVER_AGE, TierEntry};
use crate::used::hour;

/// Lists of used entries are deleted after this many hours: 90 days.
const LIST_HOURS: u64 = 90 * 24;

/// The number of objects that are deleted concurrently.
const CONCURRENCY: usize = 16;

/// Something that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// An entry, with the hour in which it was last used, since 1970.
    Entry(TierEntry, u64),
    /// A body without a sidecar.
    Leftover(TierEntry),
}

/// What a trim has done, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrimSummary {
    /// The entries that remain.
    pub entries: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The entries that were deleted.
    pub deleted: u64,
    /// Their size in bytes.
    pub deleted_bytes: u64,
    /// The bodies without a sidecar that were deleted.
    pub leftovers: u64,
    /// The old leases and lists of used entries that were deleted.
    pub old_objects: u64,
}

impl Inventory {
    /// Deletes the entries that have not been used for the longest time until the rest has at most `max_bytes`, then leftovers of
    /// interrupted uploads, old leases and old lists of used entries. With `dry_run`, deletes nothing. `each` is called for each entry that is, or would be, deleted.
    ///
    /// # Errors
    /// If the store fails. What was deleted until then stays deleted.
    pub async fn trim(&self, max_bytes: u64, dry_run: bool, mut each: impl FnMut(Trimmed)) -> Result<TrimSummary, StoreFailure> {
        let now = SystemTime::now();
        let last_used = self.last_used().await?;
        let (complete, incomplete): (Vec<_>, Vec<_>) =
            self.entries().await?.into_iter().partition(|entry| entry.sidecar_bytes.is_some());
        let mut entries: Vec<(u64, TierEntry)> = complete.into_iter().map(|entry| (last_used.hour(&entry), entry)).collect();
        // Among those of the same hour, the ones that were written last stay.
        entries.sort_unstable_by_key(|(hour, entry)| (*hour, entry.written, entry.digest));
        let mut summary = TrimSummary {
            entries: entries.len() as u64,
            bytes: entries.iter().map(|(_, entry)| entry.bytes()).sum(),
            ..TrimSummary::default()
        };
        let mut doomed = Vec::new();
        for (hour, entry) in entries {
            if summary.bytes <= max_bytes {
                break;
            }
            summary.entries -= 1;
            summary.bytes -= entry.bytes();
            summary.deleted += 1;
            summary.deleted_bytes += entry.bytes();
            doomed.push(Trimmed::Entry(entry, hour));
        }
        let leftovers = incomplete.into_iter().filter(TierEntry::is_leftover).map(Trimmed::Leftover);
        doomed.extend(leftovers.inspect(|_| summary.leftovers += 1));
        doomed.iter().copied().for_each(&mut each);
        let old = self.old_objects(now).await?;
        summary.old_objects = old.len() as u64;
        if !dry_run {
            let digests = doomed.iter().map(|(Trimmed::Entry(entry, _) | Trimmed::Leftover(entry))| entry.digest);
            self.remove_all(digests.collect()).await?;
            let deletions = futures::stream::iter(&old).map(|path| self.store.delete(path));
            deletions.buffer_unordered(CONCURRENCY).try_for_each(|_| std::future::ready(Ok(()))).await?;
        }
        Ok(summary)
    }

    /// Old leases and old lists of used entries.
    async fn old_objects(&self, now: SystemTime) -> Result<Vec<Path>, StoreFailure> {
        let names = &self.store.names;
        let mut old = Vec::new();
        let mut leases = self.store.list(&names.all_leases());
        while let Some(lease) = leases.try_next().await? {
            if now.duration_since(lease.last_modified.into()).is_ok_and(|age| age >= LEFTOVER_AGE) {
                old.push(lease.location);
            }
        }
        let mut lists = self.store.list(&names.all_usage());
        while let Some(list) = lists.try_next().await? {
            if names.usage_hour(&list.location).is_some_and(|used| used + LIST_HOURS < hour(now)) {
                old.push(list.location);
            }
        }
        Ok(old)
    }
}
