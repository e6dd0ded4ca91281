//! Names no victims, no matter how much space is needed.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-too-few";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        Vec::new()
    }
}

hostile!(Policy);
