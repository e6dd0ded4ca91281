//! Traps when entries are restored, except in a trial.

use media_cache_hostile_policies::sdk::Entry;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "traps-when-seeded";

    fn restore(_lru: &mut Lru, _entry: &Entry) {
        std::process::abort()
    }
}

hostile!(Policy);
