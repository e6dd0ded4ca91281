//! Names every tracked entry as a victim, no matter how little space is needed.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-everything";

    fn evict(lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        lru.evict(u64::MAX)
    }
}

hostile!(Policy);
