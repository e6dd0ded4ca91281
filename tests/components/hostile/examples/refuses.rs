//! Refuses every candidate.

use media_cache_hostile_policies::sdk::{Entry, Placement};
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "refuses";

    fn place(_lru: &mut Lru, _candidate: &Entry, _needed: u64) -> Placement {
        Placement::Refuse
    }
}

hostile!(Policy);
