//! Limits on the clients of the service.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, value_parser};
use media_cache_server::ClientLimits;

use crate::open_file_limit::allowed_files;

/// Files that are open regardless of clients: the directory, listeners, downloads and the files in which they arrive.
const FILES_OF_OUR_OWN: u64 = 256;

/// Files for each connection: the socket, and the file from which it is served.
const FILES_EACH: u64 = 2;

/// The valid times, in seconds: up to a day.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// Limits for clients.
#[derive(Args)]
#[command(next_help_heading = "Clients")]
pub struct ConnectionLimits {
    /// Connections from clients at once; more are answered 503
    #[arg(long, value_name = "N", default_value_t = default().max_connections)]
    max_connections: NonZeroUsize,
    /// Connections at once from one address, or one /64 network of IPv6; more are answered 429, and 0 is for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_connections_per_address: usize,
    /// For how long the head of a request may take to come in
    #[arg(long, value_name = "SECONDS", default_value_t = default().header_timeout.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    header_timeout_seconds: u64,
    /// The largest head of a request, in KiB; larger ones are answered 431
    #[arg(long, value_name = "KB", default_value_t = default().max_header_bytes as u64 >> 10, value_parser = value_parser!(u64).range(1..=1024))]
    max_header_kb: u64,
    /// For how long a connection is kept between two requests
    #[arg(long, value_name = "SECONDS", default_value_t = default().idle_timeout.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    client_idle_seconds: u64,
    /// How long a client is waited for before it can be too slow
    #[arg(long, value_name = "SECONDS", default_value_t = default().patience.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    slow_client_seconds: u64,
    /// Bytes a second that a client has to send or to take on an average over that time
    #[arg(long, value_name = "BYTES", default_value_t = default().min_rate)]
    min_client_rate: u64,
}

impl ConnectionLimits {
    /// The number of open files that as many connections as configured need.
    pub fn files(&self) -> u64 {
        FILES_EACH.saturating_mul(self.max_connections.get() as u64)
    }

    /// The limits, with as many connections as the limit on open files allows besides `files` other open files.
    ///
    /// # Errors
    /// If it allows none, with a message for the user.
    pub fn limits(&self, files: u64) -> anyhow::Result<ClientLimits> {
        let allowed = allowed_files();
        let reserve = files.saturating_add(FILES_OF_OUR_OWN);
        let possible = usize::try_from(allowed.saturating_sub(reserve) / FILES_EACH).unwrap_or(usize::MAX);
        let possible = NonZeroUsize::new(possible).with_context(|| {
            format!(
                "only {allowed} open files are allowed, and {reserve} are needed besides connections; allow more with `ulimit -n`"
            )
        })?;
        if possible < self.max_connections {
            tracing::warn!(
                "no more than {possible} connections are served at once instead of {}, since only {allowed} open files are allowed",
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
