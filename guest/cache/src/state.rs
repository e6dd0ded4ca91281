//! What a cache knows, and the few steps that change both tiers at once.

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

/// What changes.
pub(crate) struct State {
    pub index: Index,
    pub disk_tier: EvictionTier<Policy>,
    pub memory_tier: MemoryTier<Policy>,
    pub failures: FailureMemory<FetchError>,
    pub counters: Counters,
    pub writes: PendingWrites,
    pub disk_health: DiskHealth,
    /// What is served of entries whose files are being replaced.
    pub replacing: BTreeMap<Slot, Resident>,
    /// Files that could not be deleted or read.
    pub remains: Remains,
    /// The disk space of files that are being deleted, in bytes.
    pub deleting_bytes: u64,
    /// An entry in the index that could not be read last.
    pub unreadable: Option<KeyDigest>,
    /// Whether something is left for the next start to do, which then has to look at the directory.
    pub unfinished: bool,
    /// What matters until the directory is loaded, and `None` from then on.
    pub loading: Option<Loading>,
}

impl State {
    /// Counts a hit. If the entry still exists, it counts for the entry too, which becomes the most recently used.
    pub fn record_hit(&mut self, handle: Option<u64>, source: Source, now: u64) {
        self.counters.hits += 1;
        self.counters.disk_hits += u64::from(source == Source::Disk);
        if let Some(entry) = handle.and_then(|handle| self.touch(handle, source, now)) {
            entry.hits = entry.hits.saturating_add(1);
        }
    }

    /// Notes a hit on the file of an entry that is open. The request that opened it does not count as one.
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

    /// Makes an entry the most recently used, if it still exists. The memory tier sees a request only if the entry was resident: one
    /// that was read from disk has just been placed there.
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

    /// Removes an entry from both tiers, and returns whose files to delete.
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

    /// Notes that an entry cannot be read now, for a reason that need not be its own.
    pub fn read_failed(&mut self, digest: KeyDigest, file: &str, error: &ErrorCode) {
        self.unreadable = Some(digest);
        self.disk_health.failed(Operation::Read, format!("cannot read {file}: {}", describe(error)), clock::now());
    }

    /// Notes that an entry was read.
    pub fn read_succeeded(&mut self) {
        if self.unreadable.take().is_some() && !self.remains.has_unreadable() {
            self.disk_health.succeeded(Operation::Read);
        }
    }

    /// The counters, with those of the tiers.
    pub fn all_counters(&self) -> Counters {
        let (rejected, shortfalls) = self.memory_tier.policy_faults();
        let mut counters = self.counters.clone();
        counters.memory_evictions += self.memory_tier.evictions();
        counters.policy_rejected_ids += self.disk_tier.rejected + rejected;
        counters.policy_shortfalls += self.disk_tier.shortfalls + shortfalls;
        counters
    }

    /// The disk usage of everything that the cache knows of.
    pub fn disk_bytes(&self) -> u64 {
        self.index.disk_bytes().saturating_add(self.remains.disk_bytes())
    }
}
