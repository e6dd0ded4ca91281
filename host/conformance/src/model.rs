//! The model of a cache tier: the entries that are tracked after the calls so far. Answers are checked against it.

use media_cache::policy::{Entry, MediaKind};
use media_cache_policy_structures::{FingerprintMap, Queue, Slab};

use crate::random::{Random, mix};
use crate::tier::Tier;

/// The range that sparse ids are drawn from.
const SPARSE_IDS: u64 = 4096;

/// The entries that are tracked in a tier.
pub(crate) struct Model {
    tier: Tier,
    used: u64,
    len: usize,
    entries: Slab<Tracked>,
    by_last_access: Queue,
    /// The id of each tracked entry, by its fingerprint.
    ids: FingerprintMap<u64>,
    /// Free ids below `next_id`. The last one is used first.
    free_ids: Vec<u64>,
    /// The lowest id that has never been used.
    next_id: u64,
}

#[derive(Clone, Copy, Default)]
struct Tracked {
    fingerprint: u64,
    hits: u64,
    accessed_at: u64,
}

impl Model {
    pub fn new(tier: Tier, random: &mut Random) -> Self {
        let mut free_ids = Vec::new();
        if let Tier::SparseItems(_) = tier {
            free_ids.extend(0..SPARSE_IDS);
            (1..free_ids.len()).for_each(|at| free_ids.swap(at, random.below(at as u64 + 1) as usize));
        }
        let next_id = free_ids.len() as u64;
        let (entries, ids) = Default::default();
        Self { tier, used: 0, len: 0, entries, by_last_access: Queue::new(0), ids, free_ids, next_id }
    }

    /// The number of tracked entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The total size of the tracked entries.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How much the tracked entries exceed the capacity.
    pub fn excess(&self) -> u64 {
        self.used.saturating_sub(self.tier.capacity())
    }

    /// How much must be freed for an entry of this size.
    pub fn needed(&self, size: u64) -> u64 {
        (self.used + size).saturating_sub(self.tier.capacity())
    }

    /// The id of an object. `None` if it is not tracked.
    pub fn id_of(&self, object: u64) -> Option<u64> {
        self.ids.get(&fingerprint(object)).copied()
    }

    /// An entry with a free id for an object that is not tracked. It must be passed to [`insert`](Self::insert) or
    /// [`release`](Self::release).
    pub fn candidate(&mut self, object: u64, hits: u64, accessed_at: u64) -> Entry {
        let id = self.free_ids.pop().unwrap_or_else(|| {
            self.next_id += 1;
            self.next_id - 1
        });
        Entry { hits, accessed_at, ..fetched(Entry::new(id, fingerprint(object), self.tier.size_of(object))) }
    }

    /// Frees the id of a candidate that was not admitted.
    pub fn release(&mut self, candidate: Entry) {
        self.free_ids.push(candidate.id);
    }

    /// Tracks a candidate, as the most recently used entry.
    pub fn insert(&mut self, entry: Entry) {
        let Entry { id, fingerprint, size, hits, accessed_at, .. } = entry;
        self.entries.push(&mut self.by_last_access, id, size, Tracked { fingerprint, hits, accessed_at });
        self.ids.insert(fingerprint, id);
        self.used += size;
        self.len += 1;
    }

    /// Tracks a removed entry again, as the most recently used one.
    pub fn reinsert(&mut self, entry: Entry) {
        let Some(at) = self.free_ids.iter().rposition(|id| *id == entry.id) else { return };
        self.free_ids.remove(at);
        self.insert(entry);
    }

    /// Records an access to an entry.
    pub fn access(&mut self, id: u64, at: u64) {
        if let Some(tracked) = self.entries.get_mut(id) {
            tracked.hits = tracked.hits.saturating_add(1);
            tracked.accessed_at = at;
        }
        self.entries.renew(&mut self.by_last_access, id);
    }

    /// Removes and returns an entry. `None` if it is not tracked.
    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entry(id)?;
        self.entries.remove(&mut self.by_last_access, id);
        self.ids.remove(&entry.fingerprint);
        self.free_ids.push(id);
        self.used -= entry.size;
        self.len -= 1;
        Some(entry)
    }

    fn entry(&self, id: u64) -> Option<Entry> {
        let Tracked { fingerprint, hits, accessed_at } = *self.entries.get(id)?;
        Some(Entry { hits, accessed_at, ..fetched(Entry::new(id, fingerprint, self.entries.size(id))) })
    }

    /// The id of the least recently used entry.
    pub fn least_recently_used(&self) -> Option<u64> {
        self.by_last_access.oldest()
    }

    /// The id of a random entry.
    pub fn random_id(&self, random: &mut Random) -> Option<u64> {
        let start = random.below(self.next_id);
        (0..self.next_id).map(|step| (start + step) % self.next_id).find(|id| self.entries.get(*id).is_some())
    }
}

/// Adds fetch metadata to an entry. It depends only on the fingerprint, and covers the boundaries of each range.
fn fetched(entry: Entry) -> Entry {
    const KINDS: [MediaKind; 5] = [MediaKind::Image, MediaKind::Animation, MediaKind::Video, MediaKind::Audio, MediaKind::Other];
    let draw = mix(entry.fingerprint);
    let cost = match draw % 8 {
        0 => 0,
        1 => 1,
        2 => u32::MAX,
        _ => (draw >> 32) as u32 % 60_000,
    };
    let waiters = match draw >> 3 & 7 {
        0 => u32::MAX,
        1..4 => (draw >> 40) as u32 % 100,
        _ => 0,
    };
    Entry { cost, waiters, kind: KINDS[(draw >> 6) as usize % KINDS.len()], ..entry }
}

/// The fingerprint of an object, which is unique.
fn fingerprint(object: u64) -> u64 {
    mix(object.wrapping_add(0x9e37_79b9_7f4a_7c15))
}
