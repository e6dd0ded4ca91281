//! The memory tier: which entries are resident, within a number of items and a number of bytes.

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::policy::eviction::EntryId;
use crate::eviction_tier::{Eviction, EvictionTier, TierEntries, Verdict};
use crate::index::{Index, Slot};
use crate::policy::Policy;

/// The memory tier. The index has the residents' handles.
pub struct MemoryTier<P> {
    eviction: EvictionTier<P>,
    max_items: u32,
    max_bytes: u64,
    usage: Usage,
}

/// What the residents add up to.
#[derive(Clone, Copy, Default)]
struct Usage {
    items: u32,
    bytes: u64,
    evictions: u64,
}

impl<P: Policy> MemoryTier<P> {
    /// An empty tier.
    pub fn new(eviction: EvictionTier<P>, max_items: u32, max_bytes: u64) -> Self {
        Self { eviction, max_items, max_bytes, usage: Usage::default() }
    }

    /// Whether an entry of this size is resident in memory. A larger one is resident as an open file.
    #[must_use]
    pub fn fits_in_memory(&self, size: u64) -> bool {
        size <= self.max_bytes / 8
    }

    /// Residents.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.usage.items
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.usage.bytes
    }

    /// Entries evicted from this tier.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.usage.evictions
    }

    /// Ids in answers of the policy that were ignored, and entries that were evicted because it named too few.
    #[must_use]
    pub fn policy_faults(&self) -> (u64, u64) {
        (self.eviction.rejected, self.eviction.shortfalls)
    }

    /// Records a request for a resident.
    pub fn accessed(&mut self, slot: Slot, at: u64) {
        self.eviction.accessed(slot.into(), at);
    }

    /// Makes an entry resident if the policy admits it.
    pub fn place(&mut self, index: &mut Index<Blob>, slot: Slot, blob: Blob) {
        let Some(entry) = index.get(slot).filter(|entry| entry.resident.is_none() && self.max_items > 0) else { return };
        let candidate = entry.for_policy(slot.into(), 1);
        let needed = (self.usage.items + 1).saturating_sub(self.max_items);
        let verdict = self.eviction.place(candidate, needed.into(), &mut Residents { index, usage: &mut self.usage });
        if verdict != Verdict::Admitted {
            return;
        }
        self.usage.items += 1;
        self.usage.bytes += bytes_in_memory(&blob);
        if let Some(entry) = index.get_mut(slot) {
            entry.resident = Some(blob);
        }
        while self.usage.bytes > self.max_bytes {
            if !self.eviction.evict(1, &mut Residents { index, usage: &mut self.usage }) {
                break;
            }
        }
    }

    /// Releases the bytes of an entry that was removed from the index.
    pub fn release(&mut self, slot: Slot, resident: Option<Blob>) {
        if let Some(blob) = resident {
            self.usage.items -= 1;
            self.usage.bytes -= bytes_in_memory(&blob);
            self.eviction.removed(slot.into());
        }
    }
}

fn bytes_in_memory(blob: &Blob) -> u64 {
    if blob.in_memory() { blob.size() } else { 0 }
}

/// The residents of an index.
struct Residents<'a> {
    index: &'a mut Index<Blob>,
    usage: &'a mut Usage,
}

impl TierEntries for Residents<'_> {
    fn evict(&mut self, id: EntryId) -> Eviction {
        let entry = Slot::try_from(id).ok().and_then(|slot| self.index.get_mut(slot));
        let Some(blob) = entry.and_then(|entry| entry.resident.take()) else { return Eviction::Unknown };
        self.usage.items -= 1;
        self.usage.bytes -= bytes_in_memory(&blob);
        self.usage.evictions += 1;
        Eviction::Freed(1)
    }

    fn coldest(&self) -> Option<EntryId> {
        let is_resident = |slot: &Slot| self.index.get(*slot).is_some_and(|entry| entry.resident.is_some());
        self.index.coldest_first().find(is_resident).map(EntryId::from)
    }
}
