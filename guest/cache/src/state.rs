//! The state of a cache, and the few steps that change both tiers together.

use std::collections::BTreeMap;

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::Source;
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::bindings::media_cache::policy::eviction::Policy;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::clock;
use crate::counters::Counters;
use crate::disk::describe;
use crate::disk_health::{DiskHealth, Operation};
use crate::entry::Entry;
use crate::eviction_tier::EvictionTier;
use crate::failure_memory::FailureMemory;
use crate::index::{Index, Slot};
use crate::loading::Loading;
use crate::memory_tier::{MemoryTier, Resident};
use crate::pending_writes::PendingWrites;
use crate::remains::Remains;

/// The mutable state.
pub(crate) struct State {
    pub index: Index,
    pub disk_tier: EvictionTier<Policy>,
    pub memory_tier: MemoryTier<Policy>,
    pub failures: FailureMemory<FetchError>,
    pub counters: Counters,
    pub writes: PendingWrites,
    pub disk_health: DiskHealth,
    /// The old media of entries whose files are being replaced; it is served in the meantime.
    pub replacing: BTreeMap<Slot, Resident>,
    /// Files that could not be deleted or read.
    pub remains: Remains,
    /// The disk space of files that are being deleted, in bytes.
    pub deleting_bytes: u64,
    /// The last entry in the index that could not be read.
    pub unreadable: Option<KeyDigest>,
    /// Whether work is left for the next start, which then has to inspect the directory.
    pub unfinished: bool,
    /// State that is needed until the directory is loaded; `None` afterwards.
    pub loading: Option<Loading>,
}

impl State {
    /// Counts a hit. If the entry still exists, the hit also counts for the entry, which becomes the most recently used.
    pub fn record_hit(&mut self, handle: Option<u64>, source: Source, now: u64) {
        self.counters.hits += 1;
        self.counters.disk_hits += u64::from(source == Source::Disk);
        if let Some(entry) = handle.and_then(|handle| self.touch(handle, source, now)) {
            entry.hits = entry.hits.saturating_add(1);
        }
    }

    /// Records a hit on the open file of an entry. The request that opened the file does not count as a hit on it.
    pub fn used_file(&mut self, handle: u64) {
        if let Some(slot) = self.index.resolve(handle) {
            self.memory_tier.used_file(slot);
        }
    }

    /// Counts hits on bytes that an earlier instance held. If the entry exists, it becomes the most recently used.
    pub fn record_earlier_hits(&mut self, digest: &KeyDigest, hits: u32, now: u64) {
        self.counters.hits += u64::from(hits);
        let handle = self.index.find(digest).map(|slot| self.index.handle(slot));
        if let Some(entry) = handle.and_then(|handle| self.touch(handle, Source::Memory, now)) {
            entry.hits = entry.hits.saturating_add(hits);
        }
    }

    /// Makes an entry the most recently used, if it still exists. The request is reported to the memory tier only if the entry was
    /// resident: an entry that was read from disk has just been placed there.
    pub fn touch(&mut self, handle: u64, source: Source, now: u64) -> Option<&mut Entry> {
        let slot = self.index.resolve(handle)?;
        self.index.promote(slot);
        if source == Source::Memory {
            self.memory_tier.accessed(slot, now);
        }
        let entry = self.index.get_mut(slot)?;
        entry.accessed_at = now;
        if entry.tracked {
            self.disk_tier.accessed(slot.into(), now);
        }
        Some(entry)
    }

    /// Removes an entry from both tiers. Returns its digest, so that the caller can delete its files.
    pub fn remove_entry(&mut self, slot: Slot) -> Option<KeyDigest> {
        let entry = self.index.remove(slot)?;
        self.memory_tier.release(slot);
        if entry.tracked {
            self.disk_tier.removed(slot.into());
        }
        if let Some(loading) = &mut self.loading {
            loading.removed.insert(entry.digest, ());
        }
        Some(entry.digest)
    }

    /// Records that an entry cannot be read now. The cause may be something other than the entry.
    pub fn read_failed(&mut self, digest: KeyDigest, file: &str, error: &ErrorCode) {
        self.unreadable = Some(digest);
        self.disk_health.failed(Operation::Read, format!("cannot read {file}: {}", describe(error)), clock::now());
    }

    /// Records that an entry was read.
    pub fn read_succeeded(&mut self) {
        if self.unreadable.take().is_some() && !self.remains.has_unreadable() {
            self.disk_health.succeeded(Operation::Read);
        }
    }

    /// The counters, including those of the tiers.
    pub fn all_counters(&self) -> Counters {
        let (rejected, shortfalls) = self.memory_tier.policy_faults();
        let mut counters = self.counters.clone();
        counters.memory_evictions += self.memory_tier.evictions();
        counters.policy_rejected_ids += self.disk_tier.rejected + rejected;
        counters.policy_shortfalls += self.disk_tier.shortfalls + shortfalls;
        counters
    }

    /// The disk usage of all entries and remains.
    pub fn disk_bytes(&self) -> u64 {
        self.index.disk_bytes().saturating_add(self.remains.disk_bytes())
    }
}
