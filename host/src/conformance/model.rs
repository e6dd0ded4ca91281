//! What resides, as the calls have it: what every answer is checked against.

use media_cache_policy_kit::{FingerprintMap, Queue, Slab};

use super::random::{Random, mix};
use super::sequences::Tier;
use crate::policy::Entry;

/// Ids from which those of a tier in memory are drawn: they are those of the entries on disk.
const SCATTERED: u64 = 4096;

/// The entries that reside in a ranking.
pub(super) struct Model {
    tier: Tier,
    used: u64,
    len: usize,
    entries: Slab<Known>,
    by_use: Queue,
    /// By fingerprint.
    ids: FingerprintMap<u64>,
    /// Ids that were used, or may be. The last one is used next.
    free: Vec<u64>,
    /// Ids from here on were never used.
    fresh: u64,
}

#[derive(Clone, Copy, Default)]
struct Known {
    fingerprint: u64,
    hits: u64,
    accessed_at: u64,
}

impl Model {
    pub fn new(tier: Tier, random: &mut Random) -> Self {
        let mut free = Vec::new();
        if let Tier::SparseItems(_) = tier {
            free.extend(0..SCATTERED);
            (1..free.len()).for_each(|at| free.swap(at, random.below(at as u64 + 1) as usize));
        }
        let fresh = free.len() as u64;
        let (entries, ids) = Default::default();
        Self { tier, used: 0, len: 0, entries, by_use: Queue::new(0), ids, free, fresh }
    }

    /// How many entries reside.
    pub fn len(&self) -> usize {
        self.len
    }

    /// What they take up.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How much there is that does not fit.
    pub fn excess(&self) -> u64 {
        self.used.saturating_sub(self.tier.capacity())
    }

    /// How much must be freed for an entry to fit.
    pub fn needed(&self, size: u64) -> u64 {
        (self.used + size).saturating_sub(self.tier.capacity())
    }

    /// The id of an object that resides.
    pub fn id_of(&self, object: u64) -> Option<u64> {
        self.ids.get(&fingerprint(object)).copied()
    }

    /// An object that does not reside, under an id that is free.
    pub fn candidate(&mut self, object: u64, hits: u64, accessed_at: u64) -> Entry {
        let id = self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        });
        Entry { id, fingerprint: fingerprint(object), size: self.tier.size_of(object), hits, accessed_at }
    }

    /// A candidate was not taken.
    pub fn give_back(&mut self, candidate: Entry) {
        self.free.push(candidate.id);
    }

    /// A candidate resides.
    pub fn insert(&mut self, entry: Entry) {
        let Entry { id, fingerprint, size, hits, accessed_at } = entry;
        self.entries.push(&mut self.by_use, id, size, Known { fingerprint, hits, accessed_at });
        self.ids.insert(fingerprint, id);
        self.used += size;
        self.len += 1;
    }

    /// What was removed just now resides again, as what was used last.
    pub fn put_back(&mut self, entry: Entry) {
        let Some(at) = self.free.iter().rposition(|id| *id == entry.id) else { return };
        self.free.remove(at);
        self.insert(entry);
    }

    /// An entry was asked for.
    pub fn access(&mut self, id: u64, at: u64) {
        if let Some(known) = self.entries.get_mut(id) {
            known.hits = known.hits.saturating_add(1);
            known.accessed_at = at;
        }
        self.entries.renew(&mut self.by_use, id);
    }

    /// An entry resides no longer. `None` where it did not.
    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entry(id)?;
        self.entries.remove(&mut self.by_use, id);
        self.ids.remove(&entry.fingerprint);
        self.free.push(id);
        self.used -= entry.size;
        self.len -= 1;
        Some(entry)
    }

    fn entry(&self, id: u64) -> Option<Entry> {
        let Known { fingerprint, hits, accessed_at } = *self.entries.get(id)?;
        Some(Entry { id, fingerprint, size: self.entries.size(id), hits, accessed_at })
    }

    /// What was not used the longest.
    pub fn oldest(&self) -> Option<u64> {
        self.by_use.oldest()
    }

    /// Something that resides.
    pub fn some_id(&self, random: &mut Random) -> Option<u64> {
        let start = random.below(self.fresh);
        (0..self.fresh).map(|step| (start + step) % self.fresh).find(|id| self.entries.get(*id).is_some())
    }
}

/// The fingerprint of an object. No two have the same.
fn fingerprint(object: u64) -> u64 {
    mix(object.wrapping_add(0x9e37_79b9_7f4a_7c15))
}
