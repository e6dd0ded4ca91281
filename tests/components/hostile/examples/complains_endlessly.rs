//! Rejects all options with an error message of several megabytes.

use media_cache_hostile_policies::{Hostile, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "complains-endlessly";

    fn create() -> Result<(), String> {
        Err("\u{1b}[31mno\n".repeat(1 << 20))
    }
}

hostile!(Policy);
