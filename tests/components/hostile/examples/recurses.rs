//! Recurses until the stack overflows.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "recurses";

    fn evict(_lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        vec![deeper(needed)]
    }
}

hostile!(Policy);

fn deeper(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { std::hint::black_box(deeper(depth + 1)) + 1 }
}
