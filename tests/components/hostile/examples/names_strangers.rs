//! Names only entries that are not tracked.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-strangers";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        // The correct number of victims, so that the number alone is not suspicious.
        let victims = lru.evict(needed);
        (0..victims.len() as u64).map(|number| u64::MAX - number).collect()
    }
}

hostile!(Policy);
