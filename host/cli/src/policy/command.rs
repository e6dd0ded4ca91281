//! The subcommands of `media-cache policy`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Settings;
use crate::policy::{new, remote, test, tune};

/// The commands for policies.
#[derive(Subcommand)]
pub enum Policy {
    /// Show the policy of a running cache, and its state
    Show(remote::Show),
    /// List the built-in policies of a running cache, and their options
    List(remote::List),
    /// Replace the policy of a running cache
    Swap(remote::Swap),
    /// Restore the previous policy
    Rollback(remote::Rollback),
    /// Check in the sandbox that policies fulfil the contract, and print one verdict per line
    ///
    /// Each check prints a line: `ok` and what was tried, `FAIL` and the calls that show the failure, or `-` if another failure kept it
    /// from running. The exit status is 1 unless all policies pass all checks.
    Test(test::Test),
    /// Search for the policy and the options that minimise an objective on a trace
    ///
    /// The options are chosen on the first part of the trace, by default half of it, and the best of each policy are compared with the
    /// default policy on the rest. The same trace, options and seed give the same result, however many replays run at once.
    Tune(tune::Tune),
    /// Create a new policy in Rust, Python, JavaScript or C: a self-contained project
    New(new::New),
}

impl Policy {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(show) => show.run(settings).await,
            Self::List(list) => list.run(settings).await,
            Self::Swap(swap) => swap.run(settings).await,
            Self::Rollback(rollback) => rollback.run(settings).await,
            Self::Test(test) => test.run(),
            Self::Tune(tune) => tune.run(),
            Self::New(new) => new.run(),
        }
    }
}
