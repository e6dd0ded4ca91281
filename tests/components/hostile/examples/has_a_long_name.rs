//! Has a name as long as a book, which would do something to a terminal.

use media_cache_hostile_policies::kit::PolicyState;
use media_cache_hostile_policies::kit::bindings::exports::media_cache::cache::eviction::{Description, Guest};
use media_cache_hostile_policies::{Hostile, Until, export};

/// In all else it is an LRU.
pub struct Lru;

impl Hostile for Lru {
    const NAME: &'static str = "has-a-long-name";
}

#[allow(dead_code, reason = "what is exported natively is nothing")]
struct Component;

impl Guest for Component {
    type Policy = PolicyState<Until<Lru>>;

    fn describe() -> Description {
        let name = "\u{1b}[31mERROR\n".repeat(1 << 17);
        Description { name, version: "1".into(), doc: "A name for every day.".into(), options: Vec::new() }
    }
}

export!(Component);
