//! The tier in memory: which entries' bytes are kept at hand, within a number of items and a number of bytes.

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::eviction::{Entry as Ranked, EntryId};
use crate::eviction_tier::{GivenUp, Policy, Ranking, Tier, Verdict};
use crate::index::{Index, Slot};

/// The tier in memory. The handles themselves lie in the index.
pub struct Memory<P> {
    ranking: Ranking<P>,
    max_items: u32,
    max_bytes: u64,
    held: Held,
}

/// What is held.
#[derive(Clone, Copy, Default)]
struct Held {
    items: u32,
    bytes: u64,
    evictions: u64,
}

impl<P: Policy> Memory<P> {
    /// An empty tier.
    pub fn new(ranking: Ranking<P>, max_items: u32, max_bytes: u64) -> Self {
        Self { ranking, max_items, max_bytes, held: Held::default() }
    }

    /// Whether bytes of this size are kept in memory; larger ones are kept as an open file.
    #[must_use]
    pub fn takes_in(&self, size: u64) -> bool {
        size <= self.max_bytes / 8
    }

    /// Entries held.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.held.items
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held.bytes
    }

    /// Entries let go to make room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.held.evictions
    }

    /// Answers of the policy that were ignored, and entries that had to be found without it.
    #[must_use]
    pub fn policy_faults(&self) -> (u64, u64) {
        (self.ranking.rejected, self.ranking.shortfalls)
    }

    /// A held entry was asked for.
    pub fn accessed(&mut self, slot: Slot, at: u64) {
        self.ranking.accessed(slot.into(), at);
    }

    /// Keeps the bytes of an entry at hand, if the policy wants to.
    pub fn keep(&mut self, index: &mut Index<Blob>, slot: Slot, blob: Blob) {
        let Some(entry) = index.get(slot).filter(|entry| entry.resident.is_none() && self.max_items > 0) else { return };
        let candidate = Ranked {
            id: slot.into(),
            fingerprint: entry.key.fingerprint(),
            size: 1,
            hits: entry.hits,
            accessed_at: entry.accessed_at,
        };
        let needed = (self.held.items + 1).saturating_sub(self.max_items);
        let verdict = self.ranking.place(candidate, needed.into(), &mut Residents { index, held: &mut self.held });
        if verdict != Verdict::Admitted {
            return;
        }
        self.held.items += 1;
        self.held.bytes += bytes_in_memory(&blob);
        if let Some(entry) = index.get_mut(slot) {
            entry.resident = Some(blob);
        }
        while self.held.bytes > self.max_bytes {
            if !self.ranking.evict(1, &mut Residents { index, held: &mut self.held }) {
                break;
            }
        }
    }

    /// An entry that leaves the index takes its bytes with it.
    pub fn forget(&mut self, slot: Slot, resident: Option<Blob>) {
        if let Some(blob) = resident {
            self.held.items -= 1;
            self.held.bytes -= bytes_in_memory(&blob);
            self.ranking.removed(slot.into());
        }
    }
}

fn bytes_in_memory(blob: &Blob) -> u64 {
    if blob.in_memory() { blob.size() } else { 0 }
}

/// The entries of an index that are held.
struct Residents<'a> {
    index: &'a mut Index<Blob>,
    held: &'a mut Held,
}

impl Tier for Residents<'_> {
    fn give_up(&mut self, id: EntryId) -> GivenUp {
        let entry = Slot::try_from(id).ok().and_then(|slot| self.index.get_mut(slot));
        let Some(blob) = entry.and_then(|entry| entry.resident.take()) else { return GivenUp::Unknown };
        self.held.items -= 1;
        self.held.bytes -= bytes_in_memory(&blob);
        self.held.evictions += 1;
        GivenUp::Freed(1)
    }

    fn coldest(&self) -> Option<EntryId> {
        let held = |slot: &Slot| self.index.get(*slot).is_some_and(|entry| entry.resident.is_some());
        self.index.coldest_first().find(held).map(EntryId::from)
    }
}
