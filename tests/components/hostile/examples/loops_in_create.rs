//! Never returns from `create`.

use media_cache_hostile_policies::{Hostile, hostile, spin};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops-in-create";

    fn create() -> Result<(), String> {
        spin()
    }
}

hostile!(Policy);
