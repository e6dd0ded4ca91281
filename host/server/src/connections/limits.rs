//! Limits on the resources that clients may use.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The `Retry-After` for refused clients, in seconds.
pub(crate) const RETRY_AFTER: u32 = 1;

/// Limits on the resources that clients may use. The defaults are those of `media-cache serve`.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// The maximum number of open connections. Further ones are rejected with 503 and closed. Default 4096.
    pub max_connections: NonZeroUsize,
    /// The maximum number of open connections from one address, or from one IPv6 /64 network. Further ones are rejected with 429 and
    /// closed. Default: no limit, since all clients of a reverse proxy have its address.
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// How long the head of a request may take to arrive, counted from its first byte, or from the start of the connection for the first
    /// request. Default 10 seconds.
    pub header_timeout: Duration,
    /// How long a connection may be idle after its first request. Default 60 seconds.
    pub idle_timeout: Duration,
    /// How long the service waits for a client before it decides whether the client is too slow. Time that the client spends waiting for
    /// the service does not count. Default 30 seconds.
    pub patience: Duration,
    /// The minimum transfer rate of a body that a client sends or a response that it reads, in bytes per second of waiting for the
    /// client, averaged over [`patience`](Self::patience). Zero only requires that at least one byte is transferred in that time. Default
    /// 1024.
    pub min_rate: u64,
    /// The maximum size of the head of a request, in bytes. Larger heads, and heads with more than a hundred fields, are rejected with
    /// 431. Default 32 KiB.
    pub max_header_bytes: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            max_connections: NonZeroUsize::new(4096).unwrap_or(NonZeroUsize::MIN),
            max_connections_per_address: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            min_rate: 1024,
            max_header_bytes: 32 << 10,
        }
    }
}
