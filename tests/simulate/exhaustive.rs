//! The optimum of short traces, found by exhaustive search.

use std::collections::BTreeMap;

/// The stored objects by key, each with the size with which it was stored.
type Stored = BTreeMap<u64, u64>;

/// The fewest misses of any policy, each weighted by `weight` of the size in the request. After each miss, every set of objects that fit
/// is tried: those that were stored, and the one that was requested.
pub fn fewest_misses(requests: &[(u64, u64)], capacity: u64, weight: fn(u64) -> u64) -> u64 {
    let mut reached = BTreeMap::from([(Stored::new(), 0)]);
    for (key, size) in requests {
        let mut next: BTreeMap<Stored, u64> = BTreeMap::new();
        for (stored, misses) in reached {
            let is_hit = stored.contains_key(key);
            let misses = misses + if is_hit { 0 } else { weight(*size) };
            let choices = if is_hit { vec![stored] } else { subsets(&stored, (*key, *size)) };
            for stored in choices.into_iter().filter(|stored| stored.values().sum::<u64>() <= capacity) {
                let fewest = next.entry(stored).or_insert(misses);
                *fewest = misses.min(*fewest);
            }
        }
        reached = next;
    }
    reached.into_values().min().unwrap()
}

/// Every set of the stored objects and another one.
fn subsets(stored: &Stored, another: (u64, u64)) -> Vec<Stored> {
    let objects: Vec<(u64, u64)> = stored.iter().map(|(key, size)| (*key, *size)).chain([another]).collect();
    let subset =
        |chosen: u32| objects.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, object)| *object).collect();
    (0..1 << objects.len()).map(subset).collect()
}
