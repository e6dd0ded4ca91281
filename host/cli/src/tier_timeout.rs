//! The time limit for a second tier.

use std::time::Duration;

use clap::Args;
use media_cache_tier::DEFAULT_TIMEOUT;

/// The time limit for requests to a second tier.
#[derive(Args, Clone, Copy)]
pub struct TierTimeout {
    /// The maximum time for a response of the second tier, and for each further MiB of its body
    #[arg(long, value_name = "MS", default_value_t = DEFAULT_TIMEOUT.as_millis() as u64, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    tier_timeout_ms: u64,
}

impl TierTimeout {
    /// The time limit.
    pub fn get(self) -> Duration {
        Duration::from_millis(self.tier_timeout_ms)
    }
}
