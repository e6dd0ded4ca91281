//! Never returns from a decision.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile, spin};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        spin()
    }
}

hostile!(Policy);
