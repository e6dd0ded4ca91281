//! `media-cache tier ls|verify|trim|rm|warm`: the entries in a second tier.

mod ls;
mod rm;
mod trim;
mod verify;
mod warm;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::HumanDuration;
use media_cache_tier::{Inventory, Location};

use crate::config::{ConfigurationFile, Settings};

pub use ls::list_at;

/// The default of `--tier-timeout-ms`.
const DEFAULT_TIMEOUT_MS: u64 = 2000;

/// The commands for a second tier. They use the store directly, and need no running service.
#[derive(Subcommand)]
pub enum TierCommand {
    /// List the entries in a second tier, least recently used first
    Ls(ls::Ls),
    /// Read all entries in a second tier, and report damage
    ///
    /// It changes nothing unless --repair is given. The exit status is 0 if everything is intact or was repaired, and 3 if something is
    /// damaged.
    Verify(verify::Verify),
    /// Delete the least recently used entries of a second tier until the rest has at most a given size
    ///
    /// Services list what they have used in the store every hour, and when they stop. An entry counts as used when it was uploaded, and in
    /// every hour in which a service lists it. Leftovers of interrupted uploads, leases and lists that are no longer needed are deleted, too.
    Trim(trim::Trim),
    /// Remove entries from a second tier by URL, host or prefix
    ///
    /// Services keep the entries that they have stored; remove those with `media-cache rm`.
    Rm(rm::Rm),
    /// Copy the most recently used entries of a second tier to a cache
    ///
    /// If a service uses the directory, the entries are stored in that service. Entries that are already stored stay as they are.
    Warm(warm::Warm),
}

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
    tier: TierLocation,
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
fn failure(location: &Location) -> String {
    format!("cannot use {location}; check its address and the credentials in the environment")
}

impl TierCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Ls(ls) => ls.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Trim(trim) => trim.run().await,
            Self::Rm(rm) => rm.run().await,
            Self::Warm(warm) => warm.run(settings).await,
        }
    }
}

/// Seconds since 1970 at the start of an hour.
fn seconds(hour: u64) -> u64 {
    hour * 3600
}

/// How long ago an hour was, for people.
fn ago(hour: u64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(hour));
    let since = SystemTime::now().duration_since(then).unwrap_or_default();
    match since.as_secs() / 3600 {
        0 => "this hour".into(),
        _ => format!("{} ago", HumanDuration(Duration::from_secs(since.as_secs() / 3600 * 3600))),
    }
}
