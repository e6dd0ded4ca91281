//! Names entries that do not reside, and nothing else.

use media_cache_hostile_policies::kit::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-strangers";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        // As many as it would be right to name, so that the number alone does not give it away.
        let victims = lru.evict(needed);
        (0..victims.len() as u64).map(|number| u64::MAX - number).collect()
    }
}

hostile!(Policy);
