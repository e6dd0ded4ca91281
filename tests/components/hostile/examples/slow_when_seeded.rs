//! Takes a few milliseconds for every restored entry, but does nothing wrong.

use media_cache_hostile_policies::sdk::Entry;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

/// Rounds of an empty loop for each entry, which take a few milliseconds.
const WORK: u64 = 2_000_000;

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "slow-when-seeded";

    fn restore(lru: &mut Lru, entry: &Entry) {
        for number in 0..WORK {
            std::hint::black_box(number);
        }
        lru.insert(entry);
    }
}

hostile!(Policy);
