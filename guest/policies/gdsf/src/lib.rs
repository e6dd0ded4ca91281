//! Greedy-Dual Size Frequency: keeps what earns the most hits for the room that it takes.
//!
//! Cherkasova: "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998.
//!
//! Every entry has a priority, and the entry with the least goes first:
//!
//! ```text
//! priority = clock + frequency × 1,000,000 × size^beta / size
//! ```
//!
//! Frequency over size is what a byte of the entry earns. That alone would keep for ever what was popular once, so the priority is
//! counted from a clock, which stands at the priority of whatever went last. An entry that is not asked for keeps its priority while
//! the clock comes closer; one that is asked for is counted from the clock anew.
//!
//! With `beta` 0, as published, a video of 32 MiB needs 32,768 hits to be worth an icon of 1 KiB with one. That makes for the fewest
//! misses, and for many missed bytes. With `beta` 1, an entry is worth what it weighs, size no longer counts, and what is left is LFU
//! with a clock. Anything between is a compromise.
//!
//! A newcomer takes part at once: if its own priority is the least, it is itself the victim.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, Heap, OptionSpec, Options, Placement, export_policy};

/// Entries by their priority.
pub struct Gdsf {
    entries: Heap<Priority, Kept>,
    beta: f64,
    /// The priority of whatever went last.
    clock: f64,
    /// How many accesses there were, newcomers included.
    accesses: u64,
}

/// The priority, and when it was given: of two that are equal, the older access goes first.
type Priority = (f64, u64);

#[derive(Clone, Copy)]
struct Kept {
    size: u64,
    /// What the frequency is divided by: `size / size^beta`.
    weight: f64,
    frequency: u64,
}

impl Gdsf {
    /// `size / size^beta`, which has to be the size to the bit if beta is 0.
    fn weight(&self, size: u64) -> f64 {
        let size = size.max(1) as f64;
        if self.beta == 0.0 { size } else { size.powf(1.0 - self.beta) }
    }

    fn add(&mut self, entry: &Entry, frequency: u64) {
        let kept = Kept { size: entry.size, weight: self.weight(entry.size), frequency };
        self.accesses += 1;
        self.entries.push(entry.id, (kept.priority(self.clock), self.accesses), kept);
    }
}

impl Kept {
    fn priority(&self, clock: f64) -> f64 {
        clock + self.frequency as f64 * 1e6 / self.weight
    }
}

impl Algorithm for Gdsf {
    const NAME: &'static str = "gdsf";
    const DOC: &'static str = "Greedy-Dual Size Frequency: keeps what earns the most hits for the room that it takes.";
    const OPTIONS: &'static [OptionSpec] = &[OptionSpec {
        name: "beta",
        default: "0",
        doc: "What a miss costs, as a power of the size, from 0 (all cost the same: fewest misses) to 1 (by the byte).",
    }];

    fn new(_capacity: u64, options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Heap::default(), beta: options.number("beta", 0.0..=1.0)?, clock: 0.0, accesses: 0 })
    }

    fn insert(&mut self, entry: &Entry) {
        self.add(entry, 1);
    }

    fn restore(&mut self, entry: &Entry) {
        self.add(entry, entry.hits.saturating_add(1));
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        self.accesses += 1;
        self.entries.raise(id, |kept| {
            kept.frequency = kept.frequency.saturating_add(1);
            (kept.priority(self.clock), self.accesses)
        });
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let (id, (priority, _), kept) = self.entries.pop()?;
        self.clock = priority;
        Some((id, kept.size))
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        self.insert(candidate);
        Placement::Admit(self.evict(needed))
    }
}

export_policy!(Gdsf);

#[cfg(test)]
mod tests {
    use super::*;

    fn gdsf(beta: &str) -> Gdsf {
        let options = Options::check(Gdsf::NAME, Gdsf::OPTIONS, vec![("beta".into(), beta.into())]).unwrap();
        Gdsf::new(1_000_000, &options).unwrap()
    }

    fn entry(id: EntryId, size: u64, hits: u64) -> Entry {
        Entry { id, fingerprint: id, size, hits, accessed_at: 0 }
    }

    /// With the entries 0, 1, 2, and so on, of these sizes.
    fn filled(beta: &str, sizes: &[u64]) -> Gdsf {
        let mut gdsf = gdsf(beta);
        (0..).zip(sizes).for_each(|(id, size)| gdsf.insert(&entry(id, *size, 0)));
        gdsf
    }

    #[test]
    fn the_larger_of_two_goes_first_unless_it_is_asked_for_so_much_more() {
        assert_eq!(filled("0", &[10, 30, 20]).evict(u64::MAX), [1, 2, 0]);
        let mut gdsf = filled("0", &[10, 30]);
        (0..3).for_each(|_| gdsf.accessed(1, 0));
        assert_eq!(gdsf.evict(u64::MAX), [0, 1]);
    }

    #[test]
    fn of_two_that_are_worth_the_same_the_older_access_goes_first() {
        let mut gdsf = filled("0", &[20, 10]);
        gdsf.accessed(0, 0);
        assert_eq!(gdsf.evict(u64::MAX), [1, 0]);
        let mut gdsf = filled("0", &[10, 10, 20]);
        gdsf.accessed(2, 0);
        assert_eq!(gdsf.evict(1), [0]);
        gdsf.insert(&entry(0, 10, 0));
        assert_eq!(gdsf.evict(u64::MAX), [1, 2, 0]);
    }

    #[test]
    fn what_was_popular_once_goes_when_the_clock_has_come_to_it() {
        let mut gdsf = filled("0", &[10]);
        (0..4).for_each(|_| gdsf.accessed(0, 0));
        // Worth 5 hits. The clock has come to 4 hits after four newcomers, and the fifth is worth as much, and more recent.
        for newcomer in 1..=4 {
            gdsf.insert(&entry(newcomer, 10, 0));
            assert_eq!(gdsf.evict(10), [newcomer]);
        }
        gdsf.insert(&entry(5, 10, 0));
        assert_eq!(gdsf.evict(10), [0]);
    }

    #[test]
    fn a_hit_counts_from_the_clock_as_it_is() {
        let mut gdsf = filled("0", &[40, 20, 10]);
        assert_eq!(gdsf.evict(40), [0]);
        // From the clock at 25,000: 1 is at 125,000 now, above the 100,000 of 2.
        gdsf.accessed(1, 0);
        assert_eq!(gdsf.evict(u64::MAX), [2, 1]);
    }

    #[test]
    fn a_newcomer_of_the_least_priority_is_itself_the_victim() {
        let mut gdsf = filled("0", &[10, 20]);
        assert!(matches!(gdsf.place(&entry(2, 30, 0), 30), Placement::Admit(victims) if victims == [2]));
        assert!(matches!(gdsf.place(&entry(2, 15, 0), 15), Placement::Admit(victims) if victims == [1]));
    }

    #[test]
    fn with_beta_the_size_counts_less_and_less() {
        let asked_for = |beta, times| {
            let mut gdsf = filled(beta, &[100, 400]);
            (0..times).for_each(|_| gdsf.accessed(1, 0));
            gdsf.evict(u64::MAX)
        };
        // 400 / 400^0.5 is twice as much as 100 / 100^0.5, not four times.
        assert_eq!((asked_for("0", 2), asked_for("0.5", 2)), (vec![1, 0], vec![0, 1]));
        assert_eq!((asked_for("0.5", 0), asked_for("1", 0)), (vec![1, 0], vec![0, 1]));
    }

    #[test]
    fn what_is_restored_brings_its_hits() {
        let mut gdsf = filled("0", &[10, 10]);
        gdsf.restore(&entry(2, 10, 2));
        gdsf.restore(&entry(3, 10, 0));
        (0..2).for_each(|_| gdsf.accessed(0, 0));
        assert_eq!(gdsf.evict(u64::MAX), [1, 3, 2, 0]);
    }

    #[test]
    fn what_was_removed_is_no_victim_and_does_not_move_the_clock() {
        let mut gdsf = filled("0", &[10, 40, 20]);
        gdsf.removed(1);
        gdsf.accessed(1, 0);
        gdsf.removed(7);
        gdsf.insert(&entry(1, 21, 0));
        assert_eq!(gdsf.evict(u64::MAX), [1, 2, 0]);
    }
}
