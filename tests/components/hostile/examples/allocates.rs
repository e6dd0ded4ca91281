//! Allocates memory endlessly.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "allocates";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
        }
    }
}

hostile!(Policy);
