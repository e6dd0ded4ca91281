//! `media-cache tier ls|verify|trim|rm|warm`: the entries in a second tier.

mod hours;
mod location;
mod ls;
mod rm;
mod subject;
mod trim;
mod verify;
mod warm;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Settings;

pub use ls::list_at;

/// The commands for a second tier. They use the store directly, and need no running service.
#[derive(Subcommand)]
pub enum TierCommand {
    /// List the entries in a second tier, least recently used first
    Ls(ls::Ls),
    /// Read all entries in a second tier, and report damage
    ///
    /// It changes nothing unless --repair is given. The exit status is 0 if everything is intact or was repaired, and 3 if something is
    /// damaged. Leftovers are counted, and are no damage: bodies without a sidecar and leases that are older than a day, and lists of used
    /// entries that are older than 90 days.
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
