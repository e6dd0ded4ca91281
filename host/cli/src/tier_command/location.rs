//! The second tier that a command uses.

use anyhow::Context;
use clap::Args;
use media_cache_tier::{Inventory, Location};

use crate::config::ConfigurationFile;
use crate::tier_timeout::TierTimeout;

/// A second tier.
#[derive(Args)]
#[command(next_help_heading = "Second tier")]
pub struct TierLocation {
    /// The store: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `file:///DIRECTORY`; credentials come from the
    /// environment
    #[arg(long = "tier", value_name = "URL")]
    location: Location,
    #[command(flatten)]
    timeout: TierTimeout,
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
        Inventory::open(&self.location, self.timeout.get()).context("--tier")
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
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
