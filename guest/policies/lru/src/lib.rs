//! Least recently used: entries in the order of their last use; the oldest goes first.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Queue, Slab, export_policy};

/// Entries in the order of their use.
pub struct Lru {
    entries: Slab<()>,
    by_use: Queue,
}

impl Algorithm for Lru {
    const NAME: &'static str = "lru";
    const DOC: &'static str = "Least recently used: whatever was not asked for the longest goes first.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Slab::default(), by_use: Queue::new(0) })
    }

    fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.by_use, entry.id, entry.size, ());
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        self.entries.renew(&mut self.by_use, id);
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.by_use, id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let oldest = self.by_use.oldest()?;
        let size = self.entries.remove(&mut self.by_use, oldest)?;
        Some((oldest, size))
    }
}

export_policy!(Lru);
