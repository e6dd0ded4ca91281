//! Has a name of more than a megabyte, with control characters.

use media_cache_hostile_policies::sdk::PolicyState;
use media_cache_hostile_policies::sdk::bindings::exports::media_cache::policy::eviction::{Description, Guest};
use media_cache_hostile_policies::{Hostile, Triggered, export};

/// Behaves like LRU otherwise.
pub struct Lru;

impl Hostile for Lru {
    const NAME: &'static str = "has-a-long-name";
}

#[allow(dead_code, reason = "nothing is exported natively")]
struct Component;

impl Guest for Component {
    type Policy = PolicyState<Triggered<Lru>>;

    fn describe() -> Description {
        let name = "\u{1b}[31mERROR\n".repeat(1 << 17);
        Description { name, version: "1".into(), doc: "A name for every day.".into(), options: Vec::new() }
    }
}

export!(Component);
