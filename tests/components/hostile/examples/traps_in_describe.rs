//! Breaks off instead of saying what it is.

use media_cache_hostile_policies::kit::PolicyState;
use media_cache_hostile_policies::kit::bindings::exports::media_cache::cache::eviction::{Description, Guest};
use media_cache_hostile_policies::{Hostile, Until, export};

/// In all else it is an LRU.
pub struct Lru;

impl Hostile for Lru {
    const NAME: &'static str = "traps-in-describe";
}

#[allow(dead_code, reason = "what is exported natively is nothing")]
struct Component;

impl Guest for Component {
    type Policy = PolicyState<Until<Lru>>;

    fn describe() -> Description {
        std::process::abort()
    }
}

export!(Component);
