//! Comes back from no account of what resides, though it does in a trial.

use media_cache_hostile_policies::kit::Entry;
use media_cache_hostile_policies::{Hostile, Lru, hostile, spin};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops-when-seeded";

    fn restore(_lru: &mut Lru, _entry: &Entry) {
        spin()
    }
}

hostile!(Policy);
