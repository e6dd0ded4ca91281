//! The algorithm: entries are kept in a queue, and evicted from its front.

use std::collections::BTreeMap;

use crate::eviction::{Entry, EntryId};

#[derive(Default)]
pub struct Queue {
    pub capacity: u64,
    /// Whether a hit moves an entry to the end of the queue.
    pub by_use: bool,
    /// The number of the next entry in the queue.
    next: u64,
    entries: BTreeMap<u64, Entry>,
    numbers: BTreeMap<EntryId, u64>,
}

impl Queue {
    /// Tracks an entry at the end of the queue.
    pub fn insert(&mut self, entry: Entry) {
        self.remove(entry.id);
        self.numbers.insert(entry.id, self.next);
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    /// Stops tracking an entry.
    pub fn remove(&mut self, id: EntryId) -> Option<Entry> {
        self.entries.remove(&self.numbers.remove(&id)?)
    }

    /// Records a hit.
    pub fn access(&mut self, id: EntryId) {
        if self.by_use
            && let Some(entry) = self.remove(id)
        {
            self.insert(entry);
        }
    }

    /// Removes entries until at least `needed` is free, or nothing is left.
    pub fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        let (mut freed, mut victims) = (0, Vec::new());
        while freed < needed
            && let Some((_, victim)) = self.entries.pop_first()
        {
            self.numbers.remove(&victim.id);
            freed += victim.size;
            victims.push(victim.id);
        }
        victims
    }
}
