//! The subcommands of `media-cache policy`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::policy::{new, remote, test};

/// The commands for policies.
#[derive(Subcommand)]
pub enum Policy {
    /// Say which policy a running service has, and how it is
    Show(remote::Show),
    /// List the policies that come with a running service, with their options
    List(remote::List),
    /// Put another policy in place of that of a running service
    Swap(remote::Swap),
    /// Put the policy before the present one back in place
    Rollback(remote::Rollback),
    /// Try policies out in the sandbox: a verdict a line on whether they keep the contract
    ///
    /// Each check is a line: `ok` and what was tried, `FAIL` and the calls that show it, or `-` where something else that failed kept
    /// it from being tried. The exit status is 1 unless all checks of all policies are passed.
    Test(test::Test),
    /// Write a policy to start from: a crate that builds by itself, with tests
    New(new::New),
}

impl Policy {
    /// Runs the command.
    ///
    /// # Errors
    /// With a message for the user.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(show) => show.run().await,
            Self::List(list) => list.run().await,
            Self::Swap(swap) => swap.run().await,
            Self::Rollback(rollback) => rollback.run().await,
            Self::Test(test) => test.run(),
            Self::New(new) => new.run(),
        }
    }
}
