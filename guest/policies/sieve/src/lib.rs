//! SIEVE: a queue in the order of arrival, and a hand that walks along it and takes what was not asked for since it last passed.
//!
//! Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches",
//! NSDI 2024.
//!
//! Every entry has one bit, which a hit sets. That is all that a hit does: nothing moves. To find a victim, the hand walks from where
//! it stopped, from older entries to newer ones. An entry whose bit is set loses the bit and keeps its place; the first one without
//! it goes. At the newest entry the hand wraps round to the oldest.
//!
//! What survives stays behind the hand, and what is new arrives in front of it. So a newcomer that nobody asks for again goes as
//! soon as the hand reaches it, which for most of the web is what should happen; and an entry that proved itself has until the hand
//! has been all the way round to be asked for again. CLOCK, which differs in nothing but that a survivor moves to the new end, mixes
//! the two.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Queue, Slab, export_policy};

/// Entries in the order of their arrival, and a hand.
pub struct Sieve {
    /// With each: whether it was asked for since the hand passed it.
    entries: Slab<bool>,
    by_arrival: Queue,
    /// Where the next search starts; at the oldest entry, if it is unset.
    hand: Option<EntryId>,
}

impl Algorithm for Sieve {
    const NAME: &'static str = "sieve";
    const DOC: &'static str = "SIEVE: takes out soon what is not asked for again, and keeps what is.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Slab::default(), by_arrival: Queue::new(0), hand: None })
    }

    fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.by_arrival, entry.id, entry.size, false);
    }

    /// What was asked for before need not prove itself again.
    fn restore(&mut self, entry: &Entry) {
        self.entries.push(&mut self.by_arrival, entry.id, entry.size, entry.hits > 0);
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(asked_for) = self.entries.get_mut(id) {
            *asked_for = true;
        }
    }

    fn removed(&mut self, id: EntryId) {
        if self.hand == Some(id) {
            self.hand = self.entries.newer(id);
        }
        self.entries.remove(&mut self.by_arrival, id);
    }

    /// The hand clears a bit with each step, and each hit sets one at most: over time, there are no more steps than hits.
    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let mut at = self.hand.or(self.by_arrival.oldest())?;
        while let Some(asked_for) = self.entries.get_mut(at).filter(|asked_for| **asked_for) {
            *asked_for = false;
            at = self.entries.newer(at).or(self.by_arrival.oldest())?;
        }
        self.hand = self.entries.newer(at);
        Some((at, self.entries.remove(&mut self.by_arrival, at)?))
    }
}

export_policy!(Sieve);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: EntryId, hits: u64) -> Entry {
        Entry { id, fingerprint: id, size: 10, hits, accessed_at: 0 }
    }

    /// With the entries 0, 1, 2, and so on, of which these were asked for.
    fn sieve(entries: u64, asked_for: &[EntryId]) -> Sieve {
        let mut sieve = Sieve::new(100, &Options::check("sieve", &[], Vec::new()).unwrap()).unwrap();
        (0..entries).for_each(|id| sieve.insert(&entry(id, 0)));
        asked_for.iter().for_each(|id| sieve.accessed(*id, 0));
        sieve
    }

    #[test]
    fn what_nobody_asked_for_goes_in_the_order_of_arrival() {
        assert_eq!(sieve(3, &[]).evict(u64::MAX), [0, 1, 2]);
    }

    #[test]
    fn an_entry_that_was_asked_for_gets_a_second_chance_and_no_third() {
        assert_eq!(sieve(3, &[0, 0, 0]).evict(u64::MAX), [1, 2, 0]);
    }

    #[test]
    fn the_hand_goes_on_from_where_it_stopped() {
        let mut sieve = sieve(4, &[0, 2]);
        assert_eq!(sieve.evict(1), [1]);
        // The hand is at 2. It is not taken back to 0, whose bit is clear by now, nor does 2, which keeps its place, go before 3.
        assert_eq!(sieve.evict(1), [3]);
        assert_eq!(sieve.evict(u64::MAX), [0, 2]);
    }

    #[test]
    fn a_newcomer_in_front_of_the_hand_goes_before_a_survivor_behind_it() {
        let mut sieve = sieve(3, &[0]);
        assert_eq!(sieve.evict(1), [1]);
        sieve.insert(&entry(1, 0));
        assert_eq!(sieve.evict(u64::MAX), [2, 1, 0]);
    }

    #[test]
    fn after_the_newest_the_hand_is_unset_and_starts_at_the_oldest() {
        let mut sieve = sieve(3, &[0, 1]);
        assert_eq!(sieve.evict(1), [2]);
        sieve.insert(&entry(2, 0));
        assert_eq!(sieve.evict(1), [0]);
    }

    #[test]
    fn where_the_hand_was_is_removed_and_the_hand_steps_on() {
        let mut sieve = sieve(5, &[0]);
        assert_eq!(sieve.evict(1), [1]);
        sieve.removed(2);
        sieve.removed(2);
        sieve.insert(&entry(2, 0));
        assert_eq!(sieve.evict(u64::MAX), [3, 4, 2, 0]);
    }

    #[test]
    fn what_is_restored_brings_its_hits() {
        let mut sieve = sieve(0, &[]);
        sieve.restore(&entry(0, 1));
        sieve.restore(&entry(1, 0));
        assert_eq!(sieve.evict(u64::MAX), [1, 0]);
    }
}
