//! Exits the process.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "exits";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        std::process::exit(0)
    }
}

hostile!(Policy);
