//! The second tier that a command uses.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use media_cache_tier::{Inventory, Location};

use crate::config::ConfigurationFile;

/// The default of `--tier-timeout-ms`.
pub const DEFAULT_TIMEOUT_MS: u64 = 2000;

/// A second tier.
#[derive(Args)]
#[command(next_help_heading = "Second tier")]
pub struct TierLocation {
    /// The store: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `file:///DIRECTORY`; credentials come from the
    /// environment
    #[arg(long = "tier", value_name = "URL")]
    location: Location,
    /// The maximum time for a response of the second tier, and for each further MiB of its body
    #[arg(long, value_name = "MS", default_value_t = DEFAULT_TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    tier_timeout_ms: u64,
}

/// A second tier, and the file that may name it, for commands that use no directory.
#[derive(Args)]
pub struct ConfiguredTier {
    #[command(flatten)]
    config: ConfigurationFile,
    #[command(flatten)]
    pub tier: TierLocation,
}

impl TierLocation {
    /// The entries of the tier.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn open(&self) -> anyhow::Result<Inventory> {
        Inventory::open(&self.location, Duration::from_millis(self.tier_timeout_ms)).context("--tier")
    }

    /// A failure to use the tier, for the user.
    pub fn failure(&self) -> String {
        failure(&self.location)
    }
}

/// A failure to use a tier, for the user.
pub fn failure(location: &Location) -> String {
    format!("cannot use {location}; check its address and the credentials in the environment")
}
