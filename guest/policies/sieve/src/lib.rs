//! SIEVE: a queue in the order of insertion, and a hand that moves along it and evicts entries that were not visited since it last passed.
//!
//! Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches",
//! NSDI 2024.
//!
//! Every entry has a visited bit, which a hit sets. Nothing moves on a hit. To find a victim, the hand moves on from where it stopped,
//! from older entries to newer ones. It clears the bit of a visited entry, which keeps its position, and evicts the first entry
//! without the bit. From the newest entry it wraps around to the oldest.
//!
//! Survivors remain behind the hand, and new entries are inserted in front of it. A new entry that is not requested again is therefore
//! evicted as soon as the hand reaches it (quick demotion), while a popular one has a whole round of the hand to be requested again (lazy
//! promotion). CLOCK differs only in that a survivor moves to the newest end, which mixes old and new entries.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Queue, Slab, export_policy};

/// A queue and a hand.
pub struct Sieve {
    /// The value of each entry is its visited bit.
    entries: Slab<bool>,
    queue: Queue,
    /// Where the next search starts. If unset, the search starts at the oldest entry.
    hand: Option<EntryId>,
}

impl Algorithm for Sieve {
    const NAME: &'static str = "sieve";
    const DOC: &'static str = "SIEVE: quickly evicts entries that are not requested again, and keeps the others.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Slab::default(), queue: Queue::new(0), hand: None })
    }

    fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.queue, entry.id, entry.size, false);
    }

    /// An entry that was requested before starts as visited.
    fn restore(&mut self, entry: &Entry) {
        self.entries.push(&mut self.queue, entry.id, entry.size, entry.hits > 0);
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(visited) = self.entries.get_mut(id) {
            *visited = true;
        }
    }

    fn removed(&mut self, id: EntryId) {
        if self.hand == Some(id) {
            self.hand = self.entries.newer(id);
        }
        self.entries.remove(&mut self.queue, id);
    }

    /// Each step of the hand clears a bit, and each hit sets at most one, so over time, the hand takes no more steps than there are hits.
    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let mut at = self.hand.or(self.queue.oldest())?;
        while let Some(visited) = self.entries.get_mut(at).filter(|visited| **visited) {
            *visited = false;
            at = self.entries.newer(at).or(self.queue.oldest())?;
        }
        self.hand = self.entries.newer(at);
        Some((at, self.entries.remove(&mut self.queue, at)?))
    }
}

export_policy!(Sieve);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: EntryId, hits: u64) -> Entry {
        Entry { hits, ..Entry::new(id, 10) }
    }

    /// A policy that tracks this number of entries (0, 1, 2, and so on). Those in `visited` were visited.
    fn sieve(entries: u64, visited: &[EntryId]) -> Sieve {
        let mut sieve = Sieve::new(100, &Options::check("sieve", &[], Vec::new()).unwrap()).unwrap();
        (0..entries).for_each(|id| sieve.insert(&entry(id, 0)));
        visited.iter().for_each(|id| sieve.accessed(*id, 0));
        sieve
    }

    #[test]
    fn unvisited_entries_are_evicted_in_the_order_of_insertion() {
        assert_eq!(sieve(3, &[]).evict(u64::MAX), [0, 1, 2]);
    }

    #[test]
    fn a_visited_entry_gets_a_second_chance_but_not_a_third() {
        assert_eq!(sieve(3, &[0, 0, 0]).evict(u64::MAX), [1, 2, 0]);
    }

    #[test]
    fn the_hand_continues_where_it_stopped() {
        let mut sieve = sieve(4, &[0, 2]);
        assert_eq!(sieve.evict(1), [1]);
        // The hand is at 2. It does not return to 0, whose bit is clear, and 2, which keeps its position, is not evicted before 3.
        assert_eq!(sieve.evict(1), [3]);
        assert_eq!(sieve.evict(u64::MAX), [0, 2]);
    }

    #[test]
    fn a_new_entry_in_front_of_the_hand_is_evicted_before_a_survivor_behind_it() {
        let mut sieve = sieve(3, &[0]);
        assert_eq!(sieve.evict(1), [1]);
        sieve.insert(&entry(1, 0));
        assert_eq!(sieve.evict(u64::MAX), [2, 1, 0]);
    }

    #[test]
    fn the_hand_wraps_around_from_the_newest_to_the_oldest() {
        let mut sieve = sieve(3, &[0, 1]);
        assert_eq!(sieve.evict(1), [2]);
        sieve.insert(&entry(2, 0));
        assert_eq!(sieve.evict(1), [0]);
    }

    #[test]
    fn the_hand_moves_on_when_its_entry_is_removed() {
        let mut sieve = sieve(5, &[0]);
        assert_eq!(sieve.evict(1), [1]);
        sieve.removed(2);
        sieve.removed(2);
        sieve.insert(&entry(2, 0));
        assert_eq!(sieve.evict(u64::MAX), [3, 4, 2, 0]);
    }

    #[test]
    fn a_restored_entry_with_hits_is_visited() {
        let mut sieve = sieve(0, &[]);
        sieve.restore(&entry(0, 1));
        sieve.restore(&entry(1, 0));
        assert_eq!(sieve.evict(u64::MAX), [1, 0]);
    }
}
