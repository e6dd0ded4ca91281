//! Names two million victims.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-millions";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        (0..2_000_000).collect()
    }
}

hostile!(Policy);
