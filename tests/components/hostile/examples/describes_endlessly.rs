//! Describes a thousand options, each with megabytes of text.

use media_cache_hostile_policies::sdk::PolicyState;
use media_cache_hostile_policies::sdk::bindings::exports::media_cache::policy::eviction::{Description, Guest, OptionDescription};
use media_cache_hostile_policies::{Hostile, Triggered, export};

/// Behaves like LRU otherwise.
pub struct Lru;

impl Hostile for Lru {
    const NAME: &'static str = "describes-endlessly";
}

#[allow(dead_code, reason = "nothing is exported natively")]
struct Component;

impl Guest for Component {
    type Policy = PolicyState<Triggered<Lru>>;

    fn describe() -> Description {
        // Leaked, because all strings share this text, which could be freed only once.
        let text = "and so on ".repeat(1 << 20).leak();
        // SAFETY: unsound, but nothing writes to it before the host has read it.
        let endless = || unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), text.len()) };
        let option = |_| OptionDescription { name: endless(), default: endless(), doc: endless() };
        let options = (0..1000).map(option).collect();
        Description { name: "describes-endlessly".into(), version: "1".into(), doc: "See below.".into(), options }
    }
}

export!(Component);
