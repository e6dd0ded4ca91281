//! The disk budget: what is left of it for entries, and what has to be evicted.

use media_cache_entry_files::BLOCK;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::disk::Disk;

/// The bytes that are evicted without letting other calls proceed, at least.
const SLICE: u64 = 1 << 20;

impl Cache {
    /// The disk space of everything but entries, in bytes. What the host cannot tell does not count.
    pub(crate) fn other_disk_bytes(&self) -> u64 {
        let disk = self.disk.borrow().clone();
        let usage = disk.and_then(|disk| disk.host_usage().ok());
        let of_host = usage.map_or(0, |usage| usage.arriving.saturating_add(usage.removed).saturating_add(usage.host_files));
        let of_log = self.log_bytes.get().map(|bytes| bytes.next_multiple_of(BLOCK));
        of_log.into_iter().fold(of_host, u64::saturating_add)
    }

    /// What is left of the budget for entries, in bytes: less than usual while everything else takes up more than is reserved for it.
    pub(crate) fn entry_budget(&self) -> u64 {
        let other = self.other_disk_bytes().max(self.settings.reserved_disk_bytes);
        self.settings.max_disk_bytes.saturating_sub(other)
    }

    /// The same, as far as the disk has space for it. Nothing is evicted for an entry that would not fit even then.
    pub(crate) fn reachable_budget(&self, disk: &Disk, needed: u64) -> Result<u64, StoreError> {
        let budget = self.entry_budget();
        if needed > budget {
            return Err(StoreError::Disk(format!("open files, the index and other bodies leave {budget} bytes for entries")));
        }
        // If it cannot be known, writing shows whether there is space.
        let Ok(space) = disk.space() else { return Ok(budget) };
        let used = self.state.borrow().disk_bytes();
        let budget = budget.min(used.saturating_add(space.available).saturating_sub(space.missing));
        if needed > budget {
            return Err(self.disk_failed("store the entry", &ErrorCode::InsufficientSpace));
        }
        Ok(budget)
    }

    /// Whether what is stored is within the budget. Entries that were evicted to achieve this may still be open, so others are.
    pub(crate) async fn is_within_budget(&self) -> bool {
        let excess = || self.state.borrow().disk_bytes().saturating_sub(self.entry_budget());
        if excess() > 0 {
            let victims = self.evict_from_disk(excess());
            self.delete_evicted(victims).await;
        }
        excess() == 0
    }

    /// Evicts entries where the disk has less space than it seemed to have, unless even all of them do not suffice. Returns whether there is
    /// enough space now.
    pub(crate) async fn free_space(&self, disk: &Disk, needed: u64) -> bool {
        // Where a quota applies, the file system may seem to have space.
        let available = disk.space().map_or(0, |space| space.available);
        let missing = needed.saturating_sub(available).max(1);
        let stored = {
            let state = self.state.borrow();
            state.index.disk_bytes().saturating_sub(state.writes.bytes())
        };
        if missing > stored {
            return false;
        }
        let victims = self.evict_from_disk(missing);
        self.delete_evicted(victims).await;
        true
    }

    /// Evicts entries until what is stored is within the budget, and the host has the free space that it wants, in slices between which
    /// other calls proceed. Returns the number of entries.
    pub(crate) async fn evict_to_budget(&self, disk: &Disk) -> u64 {
        let (mut evicted, mut before) = (0, u64::MAX);
        loop {
            let stored = self.state.borrow().disk_bytes();
            let missing = disk.space().map_or(0, |space| space.missing);
            let excess = stored.saturating_sub(self.entry_budget()).max(missing);
            // If nothing can be deleted, evicting more does not help.
            if excess == 0 || stored >= before {
                return evicted;
            }
            before = stored;
            let victims = self.evict_from_disk(excess.min(SLICE));
            if victims.is_empty() {
                // The rest cannot be deleted, or is being used.
                return evicted;
            }
            evicted += victims.len() as u64;
            self.delete_evicted(victims).await;
            wit_bindgen::yield_async().await;
        }
    }
}
