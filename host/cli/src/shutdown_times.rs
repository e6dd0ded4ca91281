//! How long a shutdown may take.

use std::time::Duration;

use clap::{Args, value_parser};

/// How long a shutdown may take.
#[derive(Args, Clone, Copy)]
pub struct ShutdownTimes {
    /// How long clients have, after SIGTERM, to receive their responses
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace_seconds: u64,
    /// How long closing the cache may take after that; if it takes longer, the service exits with status 3
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=86_400))]
    shutdown_limit_seconds: u64,
}

impl ShutdownTimes {
    /// How long clients have to receive their responses.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }

    /// How long everything else may take.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.shutdown_limit_seconds)
    }
}
