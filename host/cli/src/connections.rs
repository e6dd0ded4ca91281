//! Limits on the clients of the service.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, value_parser};
use media_cache_server::ClientLimits;

/// The valid times, in seconds: up to a day.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// Limits for clients.
#[derive(Args)]
#[command(next_help_heading = "Clients")]
pub struct ConnectionLimits {
    /// The maximum number of concurrent client connections; further connections are rejected with 503
    #[arg(long, value_name = "N", default_value_t = default().max_connections)]
    max_connections: NonZeroUsize,
    /// The maximum number of concurrent connections from one address, or one IPv6 /64 network; further connections are rejected with 429; 0
    /// for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_connections_per_address: usize,
    /// The maximum time for receiving the head of a request
    #[arg(long, value_name = "SECONDS", default_value_t = default().header_timeout.as_secs(), value_parser = value_parser!(u64).range(SECONDS))]
    header_timeout_seconds: u64,
    /// The maximum size of the head of a request, in KiB; larger ones are rejected with 431
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
    /// The number of concurrent connections.
    pub fn max_connections(&self) -> NonZeroUsize {
        self.max_connections
    }

    /// The limits, with this number of concurrent connections.
    pub fn limits(&self, max_connections: NonZeroUsize) -> ClientLimits {
        ClientLimits {
            max_connections,
            max_connections_per_address: NonZeroUsize::new(self.max_connections_per_address),
            header_timeout: Duration::from_secs(self.header_timeout_seconds),
            idle_timeout: Duration::from_secs(self.client_idle_seconds),
            patience: Duration::from_secs(self.slow_client_seconds),
            min_rate: self.min_client_rate,
            max_header_bytes: (self.max_header_kb << 10) as usize,
        }
    }
}

fn default() -> ClientLimits {
    ClientLimits::default()
}
