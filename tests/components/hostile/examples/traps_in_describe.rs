//! Traps in `describe`.

use media_cache_hostile_policies::sdk::PolicyState;
use media_cache_hostile_policies::sdk::bindings::exports::media_cache::policy::eviction::{Description, Guest};
use media_cache_hostile_policies::{Hostile, Triggered, export};

/// Behaves like LRU otherwise.
pub struct Lru;

impl Hostile for Lru {
    const NAME: &'static str = "traps-in-describe";
}

#[allow(dead_code, reason = "nothing is exported natively")]
struct Component;

impl Guest for Component {
    type Policy = PolicyState<Triggered<Lru>>;

    fn describe() -> Description {
        std::process::abort()
    }
}

export!(Component);
