//! Panics like a policy in Rust that has a bug: prints a message and then traps.

#![allow(clippy::panic, reason = "this is its purpose")]

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "panics";

    fn evict(_lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        panic!("no victims for {needed}, and\nsome more lines in the log: {}", "\u{1b}[31mERROR ".repeat(1000))
    }
}

hostile!(Policy);
