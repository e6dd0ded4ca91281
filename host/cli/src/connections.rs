//! Limits on the clients of the service.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, value_parser};
use media_cache_server::ClientLimits;

use crate::open_file_limit::allowed_files;

/// Files that are open regardless of clients: the directory, listeners, downloads and the files that store them as they arrive.
const FILES_OF_OUR_OWN: u64 = 256;

/// Files per connection: the socket, and the file that it is served from.
const FILES_EACH: u64 = 2;

/// The valid times, in seconds: up to a day.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// Limits for clients.
#[derive(Args)]
#[command(next_help_heading = "Clients")]
pub struct ConnectionLimits {
    /// The maximum number of concurrent client connections; further connections are answered with 503
    #[arg(long, value_name = "N", default_value_t = default().max_connections)]
    max_connections: NonZeroUsize,
    /// The maximum number of concurrent connections from one address, or one IPv6 /64 network; further connections are answered with 429; 0
    /// for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_connections_per_address: usize,
    /// The maximum time for receiving the head of a request
    #[arg(long, value_name = "SECONDS", default_value_t = default().header_timeout.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    header_timeout_seconds: u64,
    /// The maximum size of the head of a request, in KiB; larger ones are answered with 431
    #[arg(long, value_name = "KB", default_value_t = default().max_header_bytes as u64 >> 10, value_parser = value_parser!(u64).range(1..=1024))]
    max_header_kb: u64,
    /// How long an idle connection is kept open between two requests
    #[arg(long, value_name = "SECONDS", default_value_t = default().idle_timeout.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    client_idle_seconds: u64,
    /// How long a client may be slow before --min-client-rate applies
    #[arg(long, value_name = "SECONDS", default_value_t = default().patience.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    slow_client_seconds: u64,
    /// The minimum rate at which a client must send or receive, in bytes per second, averaged over --slow-client-seconds
    #[arg(long, value_name = "BYTES/S", default_value_t = default().min_rate)]
    min_client_rate: u64,
}

impl ConnectionLimits {
    /// The number of open files that the configured number of connections needs.
    pub fn files(&self) -> u64 {
        FILES_EACH.saturating_mul(self.max_connections.get() as u64)
    }

    /// The limits, with at most as many connections as the limit on open files allows besides `files` other open files.
    ///
    /// # Errors
    /// Returns an error with a message for the user if the limit allows no connections.
    pub fn limits(&self, files: u64) -> anyhow::Result<ClientLimits> {
        let allowed = allowed_files();
        let reserve = files.saturating_add(FILES_OF_OUR_OWN);
        let possible = usize::try_from(allowed.saturating_sub(reserve) / FILES_EACH).unwrap_or(usize::MAX);
        let possible = NonZeroUsize::new(possible).with_context(|| {
            format!(
                "only {allowed} open files are allowed, but {reserve} are needed besides connections; raise the limit with `ulimit -n`"
            )
        })?;
        if possible < self.max_connections {
            tracing::warn!(
                "serving at most {possible} concurrent connections instead of {}, since only {allowed} open files are allowed",
                self.max_connections
            );
        }
        Ok(ClientLimits {
            max_connections: self.max_connections.min(possible),
            max_connections_per_address: NonZeroUsize::new(self.max_connections_per_address),
            header_timeout: Duration::from_secs(self.header_timeout_seconds),
            idle_timeout: Duration::from_secs(self.client_idle_seconds),
            patience: Duration::from_secs(self.slow_client_seconds),
            min_rate: self.min_client_rate,
            max_header_bytes: (self.max_header_kb << 10) as usize,
        })
    }
}

fn default() -> ClientLimits {
    ClientLimits::default()
}
