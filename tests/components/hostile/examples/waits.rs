//! Sleeps.

use std::time::Duration;

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "waits";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        std::thread::sleep(Duration::from_secs(3600));
        Vec::new()
    }
}

hostile!(Policy);
