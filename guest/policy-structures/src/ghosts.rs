//! Remembers evicted entries by their fingerprints.

use crate::fingerprints::FingerprintMap;
use crate::slab::{EntryId, Queue, Slab};

/// Fingerprints of evicted entries, in the order of eviction.
pub struct Ghosts {
    ids: FingerprintMap<EntryId>,
    entries: Slab<u64>,
    queue: Queue,
    /// Unused ids.
    free: Vec<EntryId>,
    capacity: u64,
}

impl Ghosts {
    /// The maximum number of ghosts, regardless of the sizes of their entries, since each takes up memory.
    const LIMIT: usize = 1 << 20;

    /// Creates an empty set of ghosts. It remembers as many entries as would fit into `capacity`.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self { ids: FingerprintMap::default(), entries: Slab::default(), queue: Queue::new(0), free: Vec::new(), capacity }
    }

    /// Remembers an evicted entry, and forgets the oldest ghosts beyond the capacity.
    pub fn add(&mut self, fingerprint: u64, size: u64) {
        let Some(room) = self.capacity.checked_sub(size) else { return };
        while self.queue.size() > room || self.ids.len() >= Self::LIMIT {
            let oldest = self.queue.oldest().and_then(|oldest| self.entries.get(oldest));
            let Some(oldest) = oldest.copied() else { break };
            self.take(oldest);
        }
        let id = self.free.pop().unwrap_or(self.ids.len() as EntryId);
        self.entries.push(&mut self.queue, id, size, fingerprint);
        if let Some(older) = self.ids.insert(fingerprint, id) {
            self.entries.remove(&mut self.queue, older);
            self.free.push(older);
        }
    }

    /// Removes a ghost. Returns whether there was one.
    pub fn take(&mut self, fingerprint: u64) -> bool {
        let Some(id) = self.ids.remove(&fingerprint) else { return false };
        self.entries.remove(&mut self.queue, id);
        self.free.push(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ghosts_are_limited_by_size_and_the_oldest_is_forgotten_first() {
        let mut ghosts = Ghosts::new(9);
        [(1, 4), (2, 5), (3, 1), (4, 10)].into_iter().for_each(|(fingerprint, size)| ghosts.add(fingerprint, size));
        assert_eq!([1, 2, 3, 4].map(|fingerprint| ghosts.take(fingerprint)), [false, true, true, false]);
        (0..100).for_each(|_| ghosts.add(5, 3));
        assert_eq!((ghosts.queue.size(), ghosts.take(5), ghosts.take(5), ghosts.queue.size()), (3, true, false, 0));
        (0..100).for_each(|fingerprint| ghosts.add(fingerprint, 3));
        assert_eq!((ghosts.ids.len(), ghosts.entries.get(4)), (3, None));
    }
}
