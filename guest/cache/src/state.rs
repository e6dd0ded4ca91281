//! What a cache knows, and the few steps that change both tiers at once.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::Source;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::bindings::media_cache::policy::eviction::Policy;
use crate::counters::Counters;
use crate::disk_health::DiskHealth;
use crate::entry::Entry;
use crate::eviction_tier::EvictionTier;
use crate::failure_memory::FailureMemory;
use crate::index::{Index, Slot};
use crate::memory_tier::MemoryTier;
use crate::pending_writes::PendingWrites;

/// What changes.
pub(crate) struct State {
    pub index: Index<Blob>,
    pub disk_tier: EvictionTier<Policy>,
    pub memory_tier: MemoryTier<Policy>,
    pub failures: FailureMemory<FetchError>,
    pub counters: Counters,
    pub writes: PendingWrites,
    pub disk_health: DiskHealth,
}

impl State {
    /// Counts a hit. If the entry still exists, it counts for the entry too, which becomes the most recently used.
    pub fn record_hit(&mut self, handle: Option<u64>, source: Source, now: u64) {
        self.counters.hits += 1;
        self.counters.disk_hits += u64::from(source == Source::Disk);
        if let Some(entry) = handle.and_then(|handle| self.touch(handle, source, now)) {
            entry.hits += 1;
        }
    }

    /// Makes an entry the most recently used, if it still exists. The memory tier sees a request only if the entry was resident: one
    /// that was read from disk has just been placed there.
    pub fn touch(&mut self, handle: u64, source: Source, now: u64) -> Option<&mut Entry<Blob>> {
        let slot = self.index.resolve(handle)?;
        self.index.promote(slot);
        self.disk_tier.accessed(slot.into(), now);
        let entry = self.index.get_mut(slot)?;
        entry.accessed_at = now;
        if source == Source::Memory && entry.resident.is_some() {
            self.memory_tier.accessed(slot, now);
        }
        Some(entry)
    }

    /// Removes an entry from both tiers, and returns whose files to delete.
    pub fn remove_entry(&mut self, slot: Slot) -> Option<KeyDigest> {
        let entry = self.index.remove(slot)?;
        self.memory_tier.release(slot, entry.resident);
        self.disk_tier.removed(slot.into());
        Some(entry.digest)
    }
}
