//! Breaks off when it is told that an entry was asked for.

use media_cache_hostile_policies::kit::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "traps-on-a-hit";

    fn accessed(_lru: &mut Lru, _id: EntryId) {
        std::process::abort()
    }
}

hostile!(Policy);
