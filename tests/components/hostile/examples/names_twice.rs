//! Names the correct victims, each of them twice.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-twice";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        lru.evict(needed).into_iter().flat_map(|victim| [victim, victim]).collect()
    }
}

hostile!(Policy);
