//! How often something was asked for of late, whether it resides or not: approximately, and in little memory.

use media_cache_policy_sdk::{EntryId, MAX_ENTRIES, spread};

/// A counter does not count further.
pub const MOST: u64 = 15;
/// A block has so many words, each of 16 counters.
const BLOCK: usize = 8;
/// After so many counts to a word all counters are halved, so that what was popular once does not stay so.
const COUNTS_TO_A_WORD: usize = 10;

/// A count-min sketch of 4-bit counters.
///
/// A fingerprint has four counters, which it shares with others. Each is too large by what the others add to it, so the least of them
/// is the best guess. All four lie in one block of 64 bytes, which is what a processor fetches at a time.
pub struct Sketch {
    words: Vec<u64>,
    /// What was counted since the counters were halved, roughly.
    counts: usize,
}

impl Sketch {
    /// For a few entries.
    pub fn new() -> Self {
        Self { words: vec![0; BLOCK], counts: 0 }
    }

    /// Grows until there is a word to each of the entries up to this one.
    ///
    /// A table grows by a copy of itself: whichever half a fingerprint's block is in from now on, its counts are there.
    pub fn reserve(&mut self, id: EntryId) {
        while id < MAX_ENTRIES && self.words.len() as u64 <= id {
            self.words.extend_from_within(..);
            self.counts *= 2;
        }
    }

    /// How often it was counted, to [`MOST`].
    pub fn estimate(&self, fingerprint: u64) -> u64 {
        self.counters(fingerprint).into_iter().map(|(word, shift)| (self.words[word] >> shift) & MOST).min().unwrap_or(0)
    }

    /// Counts one more.
    pub fn count(&mut self, fingerprint: u64) {
        if self.raise(fingerprint, self.estimate(fingerprint) + 1) {
            self.counts += 1;
            if self.counts >= self.words.len() * COUNTS_TO_A_WORD {
                self.halve();
            }
        }
    }

    /// Counts what was counted elsewhere, if that is more. Says whether it is.
    ///
    /// Counters that are larger already have others' counts in them, and are left alone.
    pub fn raise(&mut self, fingerprint: u64, to: u64) -> bool {
        let mut is_more = false;
        for (word, shift) in self.counters(fingerprint) {
            let counter = (self.words[word] >> shift) & MOST;
            let more = to.min(MOST).saturating_sub(counter);
            self.words[word] += more << shift;
            is_more |= more > 0;
        }
        is_more
    }

    fn halve(&mut self) {
        self.counts /= 2;
        for word in &mut self.words {
            // What a counter loses on the right must not come in on the left of its neighbour.
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
    }

    /// The words of its counters, of which the first is one of two, the second one of the next two, and so on; and where in them.
    fn counters(&self, fingerprint: u64) -> [(usize, u32); 4] {
        let hash = spread(fingerprint);
        let block = hash as usize & (self.words.len() / BLOCK - 1);
        [0, 1, 2, 3].map(|row| {
            let bits = (hash >> (44 + 5 * row)) as usize;
            (block * BLOCK + 2 * row + (bits & 1), (bits as u32 >> 1 & 15) * 4)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(entries: u64) -> Sketch {
        let mut sketch = Sketch::new();
        sketch.reserve(entries - 1);
        sketch
    }

    #[test]
    fn what_is_alone_is_counted_exactly_up_to_the_most() {
        let mut sketch = sketch(1);
        for times in 1..=20 {
            sketch.count(7);
            assert_eq!(sketch.estimate(7), u64::min(times, 15));
        }
    }

    #[test]
    fn a_few_among_many_are_told_apart_and_none_is_taken_for_less() {
        let mut sketch = sketch(1024);
        for round in 0..8 {
            (0..1024).filter(|fingerprint| round == 0 || fingerprint % 8 == 0).for_each(|fingerprint| sketch.count(fingerprint));
        }
        assert!((0..1024).step_by(8).all(|fingerprint| sketch.estimate(fingerprint) >= 8));
        let mistaken = (0..1024).filter(|fingerprint| fingerprint % 8 != 0 && sketch.estimate(*fingerprint) > 1).count();
        assert!(mistaken < 20, "{mistaken}");
        let phantoms = (1024..2048).filter(|fingerprint| sketch.estimate(*fingerprint) > 0).count();
        assert!(phantoms < 50, "{phantoms}");
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut sketch = sketch(1);
        (0..4).for_each(|fingerprint| (0..=fingerprint).for_each(|_| sketch.count(fingerprint)));
        let before: Vec<_> = (0..4).map(|fingerprint| sketch.estimate(fingerprint)).collect();
        let counts = sketch.counts;
        sketch.reserve(1000);
        assert_eq!((0..4).map(|fingerprint| sketch.estimate(fingerprint)).collect::<Vec<_>>(), before);
        assert_eq!((sketch.words.len(), sketch.counts), (1024, counts * 1024 / 8));
        [MAX_ENTRIES, u64::MAX].into_iter().for_each(|id| sketch.reserve(id));
        assert_eq!(sketch.words.len(), 1024);
    }

    #[test]
    fn counts_are_halved_after_ten_to_a_word() {
        let mut sketch = sketch(64);
        let all = |sketch: &Sketch| (0..615).map(|fingerprint| sketch.estimate(fingerprint)).sum::<u64>();
        (0..9).for_each(|_| sketch.count(u64::MAX));
        // Where a counter counts no further, there is nothing to halve for.
        (0..1000).for_each(|_| sketch.count(1 << 40));
        (0..615).for_each(|fingerprint| sketch.count(fingerprint));
        let before = all(&sketch);
        assert!(sketch.estimate(u64::MAX) >= 9);
        sketch.count(615);
        assert!(sketch.estimate(u64::MAX) < 9 && all(&sketch) <= before / 2);
        assert_eq!((sketch.estimate(1 << 40), sketch.counts), (MOST / 2, 320));
    }

    #[test]
    fn what_was_counted_elsewhere_counts_if_it_is_more() {
        let mut sketch = sketch(64);
        assert!(sketch.raise(7, 5));
        assert!(!sketch.raise(7, 4));
        assert_eq!(sketch.estimate(7), 5);
        assert!(sketch.raise(7, u64::MAX));
        assert_eq!(sketch.estimate(7), 15);
    }
}
