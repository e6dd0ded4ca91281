//! Estimates, with little memory, how often an entry was requested recently, whether or not it is stored.

use media_cache_policy_sdk::{EntryId, MAX_ENTRIES, spread};

/// The largest value of a counter.
pub const MAX_COUNT: u64 = 15;
/// The number of words in a block. Each has 16 counters.
const BLOCK: usize = 8;
/// After this many counts per word, all counters are halved, so that past popularity fades.
const COUNTS_PER_WORD: usize = 10;

/// A count-min sketch of 4-bit counters.
///
/// A fingerprint has four counters, which it shares with other fingerprints. Each counter is too high by the counts of the others, so the
/// minimum is the best estimate. All four are in one block of 64 bytes, the size of a cache line.
pub struct Sketch {
    words: Vec<u64>,
    /// The approximate number of counts since the counters were halved.
    counts: usize,
}

impl Sketch {
    /// Creates a sketch for a few entries.
    pub fn new() -> Self {
        Self { words: vec![0; BLOCK], counts: 0 }
    }

    /// Grows until there is a word for each entry up to this one.
    ///
    /// The table is doubled by appending a copy of itself, so a fingerprint finds its counts in whichever half now contains its block.
    pub fn reserve(&mut self, id: EntryId) {
        while id < MAX_ENTRIES && self.words.len() as u64 <= id {
            self.words.extend_from_within(..);
            self.counts *= 2;
        }
    }

    /// Returns how often a fingerprint was counted, up to [`MAX_COUNT`].
    pub fn estimate(&self, fingerprint: u64) -> u64 {
        self.counters(fingerprint).into_iter().map(|(word, shift)| (self.words[word] >> shift) & MAX_COUNT).min().unwrap_or(0)
    }

    /// Counts a fingerprint once.
    pub fn count(&mut self, fingerprint: u64) {
        if self.raise(fingerprint, self.estimate(fingerprint) + 1) {
            self.counts += 1;
            if self.counts >= self.words.len() * COUNTS_PER_WORD {
                self.halve();
            }
        }
    }

    /// Raises the estimate of a fingerprint to a given count, if that count is higher. Returns whether it was.
    ///
    /// Higher counters include counts of other fingerprints, and are not changed.
    pub fn raise(&mut self, fingerprint: u64, to: u64) -> bool {
        let mut is_more = false;
        for (word, shift) in self.counters(fingerprint) {
            let counter = (self.words[word] >> shift) & MAX_COUNT;
            let more = to.min(MAX_COUNT).saturating_sub(counter);
            self.words[word] += more << shift;
            is_more |= more > 0;
        }
        is_more
    }

    fn halve(&mut self) {
        self.counts /= 2;
        for word in &mut self.words {
            // The bit that a counter loses must not move into its neighbour.
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
    }

    /// Returns the words of a fingerprint's counters, and the positions of the counters in these words. The first word is one of the first
    /// two in the block, the second is one of the next two, and so on.
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
    fn a_single_fingerprint_is_counted_exactly_up_to_the_maximum() {
        let mut sketch = sketch(1);
        for times in 1..=20 {
            sketch.count(7);
            assert_eq!(sketch.estimate(7), u64::min(times, 15));
        }
    }

    #[test]
    fn estimates_are_rarely_too_high_and_never_too_low() {
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
    fn growing_keeps_the_counts() {
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
    fn counters_are_halved_after_ten_counts_per_word() {
        let mut sketch = sketch(64);
        let all = |sketch: &Sketch| (0..615).map(|fingerprint| sketch.estimate(fingerprint)).sum::<u64>();
        (0..9).for_each(|_| sketch.count(u64::MAX));
        // Counts beyond the maximum do not bring the next halving closer.
        (0..1000).for_each(|_| sketch.count(1 << 40));
        (0..615).for_each(|fingerprint| sketch.count(fingerprint));
        let before = all(&sketch);
        assert!(sketch.estimate(u64::MAX) >= 9);
        sketch.count(615);
        assert!(sketch.estimate(u64::MAX) < 9 && all(&sketch) <= before / 2);
        assert_eq!((sketch.estimate(1 << 40), sketch.counts), (MAX_COUNT / 2, 320));
    }

    #[test]
    fn raise_applies_only_to_a_higher_count() {
        let mut sketch = sketch(64);
        assert!(sketch.raise(7, 5));
        assert!(!sketch.raise(7, 4));
        assert_eq!(sketch.estimate(7), 5);
        assert!(sketch.raise(7, u64::MAX));
        assert_eq!(sketch.estimate(7), 15);
    }
}
