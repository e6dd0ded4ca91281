//! Greedy-Dual Size Frequency: keeps the entries with the most hits for their size.
//!
//! Cherkasova: "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998.
//!
//! Every entry has a priority. The entry with the lowest priority is evicted first:
//!
//! ```text
//! priority = L + frequency × 1,000,000 × size^beta / size
//! ```
//!
//! Frequency divided by size is the value of one byte of the entry. This alone would keep formerly popular entries forever, so the
//! inflation `L` is added: the priority of the latest victim. An entry that is not requested keeps its priority while `L` approaches it; a
//! hit recomputes the priority with the current `L`.
//!
//! With `beta` 0, as published, a video of 32 MiB needs 32,768 hits to be worth as much as an icon of 1 KiB with one hit. That minimises
//! misses, at the cost of many missed bytes. With `beta` 1, size does not matter, which makes the policy LFU with aging. Values in between
//! are a compromise.
//!
//! A candidate competes immediately: if its own priority is the lowest, it is itself the victim.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, Heap, OptionSpec, Options, Placement, export_policy};

/// Entries by priority.
pub struct Gdsf {
    entries: Heap<Priority, Meta>,
    beta: f64,
    /// `L`, the priority of the latest victim.
    inflation: f64,
    /// The number of accesses, including insertions.
    accesses: u64,
}

/// The priority and the number of the access that set it. If priorities are equal, the entry with the older access is evicted first.
type Priority = (f64, u64);

#[derive(Clone, Copy, Default)]
struct Meta {
    size: u64,
    /// The divisor of the frequency: `size / size^beta`.
    weight: f64,
    frequency: u64,
}

impl Gdsf {
    /// `size / size^beta`, which is exactly the size if `beta` is 0.
    fn weight(&self, size: u64) -> f64 {
        let size = size.max(1) as f64;
        if self.beta == 0.0 { size } else { size.powf(1.0 - self.beta) }
    }

    fn add(&mut self, entry: &Entry, frequency: u64) {
        let meta = Meta { size: entry.size, weight: self.weight(entry.size), frequency };
        self.accesses += 1;
        self.entries.push(entry.id, (meta.priority(self.inflation), self.accesses), meta);
    }
}

impl Meta {
    fn priority(&self, inflation: f64) -> f64 {
        inflation + self.frequency as f64 * 1e6 / self.weight
    }
}

impl Algorithm for Gdsf {
    const NAME: &'static str = "gdsf";
    const DOC: &'static str = "Greedy-Dual Size Frequency: keeps the entries with the most hits for the space that they take up.";
    const OPTIONS: &'static [OptionSpec] = &[OptionSpec {
        name: "beta",
        default: "0",
        doc: "The cost of a miss is the size raised to this power, from 0 (equal for all: fewest misses) to 1 (proportional).",
    }];

    fn new(_capacity: u64, options: &Options) -> Result<Self, String> {
        Ok(Self { entries: Heap::default(), beta: options.number("beta", 0.0..=1.0)?, inflation: 0.0, accesses: 0 })
    }

    fn insert(&mut self, entry: &Entry) {
        self.add(entry, 1);
    }

    fn restore(&mut self, entry: &Entry) {
        self.add(entry, entry.hits.saturating_add(1));
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        self.accesses += 1;
        self.entries.raise(id, |meta| {
            meta.frequency = meta.frequency.saturating_add(1);
            (meta.priority(self.inflation), self.accesses)
        });
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let (id, (priority, _), meta) = self.entries.pop()?;
        self.inflation = priority;
        Some((id, meta.size))
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
        Entry { hits, ..Entry::new(id, size) }
    }

    /// A policy that tracks entries 0, 1, 2, and so on, of these sizes.
    fn filled(beta: &str, sizes: &[u64]) -> Gdsf {
        let mut gdsf = gdsf(beta);
        (0..).zip(sizes).for_each(|(id, size)| gdsf.insert(&entry(id, *size, 0)));
        gdsf
    }

    #[test]
    fn the_larger_entry_is_evicted_first_unless_it_has_many_more_hits() {
        assert_eq!(filled("0", &[10, 30, 20]).evict(u64::MAX), [1, 2, 0]);
        let mut gdsf = filled("0", &[10, 30]);
        (0..3).for_each(|_| gdsf.accessed(1, 0));
        assert_eq!(gdsf.evict(u64::MAX), [0, 1]);
    }

    #[test]
    fn among_equal_priorities_the_entry_with_the_older_access_is_evicted_first() {
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
    fn a_formerly_popular_entry_is_evicted_when_the_inflation_reaches_it() {
        let mut gdsf = filled("0", &[10]);
        (0..4).for_each(|_| gdsf.accessed(0, 0));
        // Entry 0 is worth 5 hits. After four new entries, L is worth 4 hits. The fifth new entry is then worth 5 hits too, and is more
        // recent.
        for id in 1..=4 {
            gdsf.insert(&entry(id, 10, 0));
            assert_eq!(gdsf.evict(10), [id]);
        }
        gdsf.insert(&entry(5, 10, 0));
        assert_eq!(gdsf.evict(10), [0]);
    }

    #[test]
    fn a_hit_recomputes_the_priority_with_the_current_inflation() {
        let mut gdsf = filled("0", &[40, 20, 10]);
        assert_eq!(gdsf.evict(40), [0]);
        // With L at 25,000, the priority of entry 1 is now 125,000, which is above the 100,000 of entry 2.
        gdsf.accessed(1, 0);
        assert_eq!(gdsf.evict(u64::MAX), [2, 1]);
    }

    #[test]
    fn a_candidate_with_the_lowest_priority_is_itself_the_victim() {
        let mut gdsf = filled("0", &[10, 20]);
        assert!(matches!(gdsf.place(&entry(2, 30, 0), 30), Placement::Admit(victims) if victims == [2]));
        assert!(matches!(gdsf.place(&entry(2, 15, 0), 15), Placement::Admit(victims) if victims == [1]));
    }

    #[test]
    fn the_size_matters_less_with_a_larger_beta() {
        let evicted = |beta, hits| {
            let mut gdsf = filled(beta, &[100, 400]);
            (0..hits).for_each(|_| gdsf.accessed(1, 0));
            gdsf.evict(u64::MAX)
        };
        // 400 / 400^0.5 is twice as much as 100 / 100^0.5, not four times.
        assert_eq!((evicted("0", 2), evicted("0.5", 2)), (vec![1, 0], vec![0, 1]));
        assert_eq!((evicted("0.5", 0), evicted("1", 0)), (vec![1, 0], vec![0, 1]));
    }

    #[test]
    fn a_restored_entry_keeps_its_hits() {
        let mut gdsf = filled("0", &[10, 10]);
        gdsf.restore(&entry(2, 10, 2));
        gdsf.restore(&entry(3, 10, 0));
        (0..2).for_each(|_| gdsf.accessed(0, 0));
        assert_eq!(gdsf.evict(u64::MAX), [1, 3, 2, 0]);
    }

    #[test]
    fn removed_entry_is_never_a_victim_and_does_not_raise_the_inflation() {
        let mut gdsf = filled("0", &[10, 40, 20]);
        gdsf.removed(1);
        gdsf.accessed(1, 0);
        gdsf.removed(7);
        gdsf.insert(&entry(1, 21, 0));
        assert_eq!(gdsf.evict(u64::MAX), [1, 2, 0]);
    }
}
