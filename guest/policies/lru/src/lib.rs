//! LRU: evicts the least recently used entry first.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Queue, Slab, export_policy};

/// Entries in the order of use.
pub struct Lru {
    entries: Slab<()>,
    recency: Queue,
}

impl Algorithm for Lru {
    const NAME: &'static str = "lru";
    const DOC: &'static str = "Least recently used: evicts the entry that has not been requested for the longest time.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Slab::default(), recency: Queue::new(0) })
    }

    fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.recency, entry.id, entry.size, ());
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        self.entries.renew(&mut self.recency, id);
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.recency, id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let oldest = self.recency.oldest()?;
        let size = self.entries.remove(&mut self.recency, oldest)?;
        Some((oldest, size))
    }
}

export_policy!(Lru);

#[cfg(test)]
mod tests {
    use super::*;

    fn lru() -> Lru {
        let mut lru = Lru::new(100, &Options::check("lru", &[], Vec::new()).unwrap()).unwrap();
        (0..4).for_each(|id| lru.insert(&Entry::new(id, 10)));
        lru
    }

    #[test]
    fn the_least_recently_used_entries_are_evicted_first() {
        let mut lru = lru();
        lru.accessed(0, 0);
        lru.accessed(2, 0);
        assert_eq!(lru.evict(u64::MAX), [1, 3, 0, 2]);
    }

    #[test]
    fn removed_entry_is_never_a_victim() {
        let mut lru = lru();
        lru.removed(0);
        lru.accessed(0, 0);
        assert_eq!(lru.evict(15), [1, 2]);
    }
}
