//! Traps when a hit is reported.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "traps-on-a-hit";

    fn accessed(_lru: &mut Lru, _id: EntryId) {
        std::process::abort()
    }
}

hostile!(Policy);
