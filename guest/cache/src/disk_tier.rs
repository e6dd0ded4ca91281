//! The disk tier: eviction of stored entries.

use crate::bindings::media_cache::policy::eviction::EntryId;
use crate::cache::Cache;
use crate::counters::Counters;
use crate::entry::Evicted;
use crate::eviction_tier::{Eviction, TierEntries};
use crate::index::{Index, Slot};
use crate::memory_tier::MemoryTier;
use crate::policy::Policy;
use crate::state::State;

/// The stored entries.
pub(crate) struct StoredEntries<'a, P> {
    pub index: &'a mut Index,
    pub memory_tier: &'a mut MemoryTier<P>,
    pub counters: &'a mut Counters,
    /// Evicted entries, whose files have to be deleted.
    pub evicted: Vec<Evicted>,
}

impl Cache {
    /// Evicts entries of at least `bytes` in total, or all if there are fewer. Returns the evicted entries, whose files the caller has to
    /// delete.
    pub(crate) fn evict_from_disk(&self, bytes: u64) -> Vec<Evicted> {
        let State { index, disk_tier, memory_tier, counters, loading, .. } = &mut *self.state.borrow_mut();
        let mut stored = StoredEntries { index, memory_tier, counters, evicted: Vec::new() };
        disk_tier.evict(bytes, &mut stored);
        let evicted = stored.evicted;
        if let Some(loading) = loading {
            // A request that began to read one of them by name must not mistake it for an entry that the load has not reached yet.
            loading.removed.extend(evicted.iter().map(|entry| (entry.digest, ())));
        }
        evicted
    }
}

impl<P: Policy> TierEntries for StoredEntries<'_, P> {
    fn evict(&mut self, id: EntryId) -> Eviction {
        let slot = Slot::try_from(id).unwrap_or(Slot::MAX);
        match self.index.get(slot) {
            None => Eviction::Unknown,
            Some(entry) if entry.is_being_written() => Eviction::InUse(entry.for_policy(id, entry.disk_size())),
            Some(_) => self.index.remove(slot).map_or(Eviction::Unknown, |entry| {
                self.evicted.push(Evicted::from(&entry));
                self.counters.count_evictions(1);
                self.memory_tier.release(slot);
                Eviction::Freed(entry.disk_size())
            }),
        }
    }

    fn coldest(&self) -> Option<EntryId> {
        let is_idle = |slot: &Slot| self.index.get(*slot).is_some_and(|entry| !entry.is_being_written());
        self.index.coldest_first().find(is_idle).map(EntryId::from)
    }
}
