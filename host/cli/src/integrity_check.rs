//! The background check of stored entries.

use std::num::NonZeroU64;

use clap::Args;
use media_cache::Builder;

/// Slow enough to go unnoticed (half a percent of a processor without SHA-256 instructions), and fast enough for 86 GB a day.
const DEFAULT_RATE: u64 = 1_000_000;

/// The rate of the background check, for commands that run long enough.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct IntegrityCheck {
    /// How fast stored entries are read and compared with their digests in the background, in bytes per second; 0 disables the check
    #[arg(long, value_name = "BYTES/S", default_value_t = DEFAULT_RATE)]
    integrity_check_rate: u64,
}

impl IntegrityCheck {
    /// Sets how fast entries are checked.
    pub fn configure(&self, builder: Builder) -> Builder {
        match NonZeroU64::new(self.integrity_check_rate) {
            Some(rate) => builder.integrity_check_rate(rate),
            None => builder,
        }
    }
}
