//! Admits every candidate, and names it as its own victim.

use media_cache_hostile_policies::sdk::{Entry, Placement};
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "names-the-candidate";

    fn place(lru: &mut Lru, candidate: &Entry, needed: u64) -> Placement {
        let mut victims = lru.evict(needed);
        victims.push(candidate.id);
        Placement::Admit(victims)
    }
}

hostile!(Policy);
