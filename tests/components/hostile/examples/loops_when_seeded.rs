//! Never returns from `restore`, except in a trial.

use media_cache_hostile_policies::sdk::Entry;
use media_cache_hostile_policies::{Hostile, Lru, hostile, spin};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops-when-seeded";

    fn restore(_lru: &mut Lru, _entry: &Entry) {
        spin()
    }
}

hostile!(Policy);
