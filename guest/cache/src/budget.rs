//! The disk budget: how much of it is left for entries, and how much has to be evicted.

use media_cache_entry_files::BLOCK;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::storage;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::clock;
use crate::disk::Disk;
use crate::disk_health::Operation;

/// The minimum number of bytes to evict before other calls may proceed.
const SLICE: u64 = 1 << 20;

/// How long it may take, in nanoseconds, until the free space of a file system reflects an eviction.
const SETTLING: u64 = 10_000_000_000;

impl Cache {
    /// The disk space that everything other than entries takes up, in bytes.
    pub(crate) fn other_disk_bytes(&self) -> u64 {
        let usage = storage::host_usage();
        let of_host = usage.arriving.saturating_add(usage.removed).saturating_add(usage.host_files);
        let of_log = self.log_bytes.get().map(|bytes| bytes.next_multiple_of(BLOCK));
        of_log.into_iter().fold(of_host, u64::saturating_add)
    }

    /// The part of the budget that is left for entries, in bytes. It is smaller than usual while everything else takes up more than the
    /// reserved part. The `arrived` bytes are not counted as part of everything else, because they are about to become part of an entry.
    fn entry_budget(&self, arrived: u64) -> u64 {
        let other = self.other_disk_bytes().saturating_sub(arrived);
        self.settings.max_disk_bytes.saturating_sub(other.max(self.settings.reserved_disk_bytes))
    }

    /// Like [`entry_budget`](Self::entry_budget), but limited to the space that the disk has. Fails if the entry would not fit even after
    /// evicting everything, so that nothing is evicted for it. `arrived` of the needed bytes are already on disk.
    pub(crate) fn reachable_budget(&self, disk: &Disk, needed: u64, arrived: u64) -> Result<u64, StoreError> {
        let budget = self.entry_budget(arrived);
        if needed > budget {
            return Err(StoreError::NoSpace(budget));
        }
        // If the free space is unknown, the write will show whether there is enough.
        let Ok(space) = disk.space() else { return Ok(budget) };
        let used = self.state.borrow().disk_bytes();
        let budget = budget.min(used.saturating_add(space.available).saturating_add(arrived));
        if needed > budget {
            return Err(self.disk_failed("store the entry", &ErrorCode::InsufficientSpace));
        }
        Ok(budget)
    }

    /// Evicts entries if the budget is exceeded, which can happen even after an eviction because the evicted files may still be open.
    /// Returns whether the budget is no longer exceeded.
    pub(crate) async fn enforce_budget(&self, arrived: u64) -> bool {
        let excess = |deleting: u64| {
            let used = self.state.borrow().disk_bytes().saturating_add(deleting);
            used.saturating_sub(self.entry_budget(arrived))
        };
        // Files that other calls are deleting still take up space, so wait until they are deleted.
        loop {
            let deleting = self.state.borrow().deleting_bytes;
            if deleting == 0 || excess(deleting) == 0 {
                break;
            }
            wit_bindgen::yield_async().await;
        }
        let more = excess(0);
        if more == 0 {
            return true;
        }
        if self.state.borrow().disk_health.fails(Operation::Delete) {
            return false;
        }
        let victims = self.evict_from_disk(more);
        self.delete_evicted(victims).await;
        excess(0) == 0
    }

    /// Evicts entries after a write failed for lack of space, unless evicting all of them would not be enough. Returns whether there is
    /// enough space now.
    ///
    /// Does nothing if storing has already failed since the last success: evicting did not help then, and repeating it would eventually
    /// evict everything.
    pub(crate) async fn free_space(&self, disk: &Disk, needed: u64) -> bool {
        let available = disk.space().map_or(0, |space| space.available);
        // If a quota applies, the file system may appear to have enough space.
        let missing = if available >= needed { needed } else { needed - available };
        if missing > self.evictable_bytes() || self.state.borrow().disk_health.fails(Operation::Store) {
            return false;
        }
        let victims = self.evict_from_disk(missing);
        self.delete_evicted(victims).await;
        true
    }

    /// Evicts entries until the stored entries are within the budget, in slices between which other calls proceed. Returns the number of
    /// evicted entries.
    pub(crate) async fn evict_to_budget(&self) -> u64 {
        let (mut evicted, mut before) = (0, u64::MAX);
        loop {
            let stored = self.state.borrow().disk_bytes();
            let excess = stored.saturating_sub(self.entry_budget(0));
            // If files cannot be deleted, evicting more does not help.
            if excess == 0 || stored >= before || self.state.borrow().disk_health.fails(Operation::Delete) {
                return evicted;
            }
            before = stored;
            evicted += self.evict_slice(excess).await;
        }
    }

    /// Evicts entries if the file system has less free space than the host reserves, unless evicting all of them would not be enough. The
    /// free space may not reflect an eviction immediately, so it is checked again only after `SETTLING`.
    pub(crate) async fn evict_to_free_space(&self, disk: &Disk) {
        let missing = disk.space().map_or(0, |space| space.missing);
        let now = clock::ticks();
        if missing == 0
            || missing > self.evictable_bytes()
            || self.evicted_for_space.get().is_some_and(|last| now < last.saturating_add(SETTLING))
        {
            return;
        }
        self.evicted_for_space.set(Some(now));
        let target = self.state.borrow().disk_bytes().saturating_sub(missing);
        let mut before = u64::MAX;
        loop {
            let stored = self.state.borrow().disk_bytes();
            if stored <= target || stored >= before || self.state.borrow().disk_health.fails(Operation::Delete) {
                return;
            }
            before = stored;
            self.evict_slice(stored - target).await;
        }
    }

    /// Evicts entries of `bytes` in total, or of one slice if that is less. Returns the number of evicted entries.
    async fn evict_slice(&self, bytes: u64) -> u64 {
        let victims = self.evict_from_disk(bytes.min(SLICE));
        let evicted = victims.len() as u64;
        self.delete_evicted(victims).await;
        wit_bindgen::yield_async().await;
        evicted
    }

    fn evictable_bytes(&self) -> u64 {
        let state = self.state.borrow();
        state.index.disk_bytes().saturating_sub(state.writes.bytes())
    }
}
