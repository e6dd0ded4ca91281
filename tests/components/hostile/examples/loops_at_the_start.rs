//! Never finishes its initialisation.

use media_cache_hostile_policies::{Hostile, hostile, spin};

#[cfg_attr(target_family = "wasm", used, unsafe(link_section = ".init_array"))]
#[allow(dead_code, reason = "nothing starts natively")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    spin()
}

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops-at-the-start";
}

hostile!(Policy);
