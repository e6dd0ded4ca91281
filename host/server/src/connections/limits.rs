//! Limits on what clients may use.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Limits on what clients may use. The defaults are those of `media-cache serve`.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Connections at once. Further ones are answered 503 and closed. Default 4096.
    pub max_connections: NonZeroUsize,
    /// Connections at once from one address, or from one /64 network of IPv6. Further ones are answered 429 and closed. Default: no
    /// limit, since all clients of a reverse proxy have its address.
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// How long the head of a request may take to arrive: from its first byte, or from the start of a connection. Default 10
    /// seconds.
    pub header_timeout: Duration,
    /// How long a connection may be idle after its first request. Default 60 seconds.
    pub idle_timeout: Duration,
    /// How long the service waits for a client before it decides whether the client is too slow. Time in which the client waits for
    /// the service does not count. Default 30 seconds.
    pub patience: Duration,
    /// The lowest transfer rate in bytes per second of waiting for a client, on average over [`patience`](Self::patience): of a
    /// body that it sends, or of a response that it reads. Zero only requires that any byte is transferred in that time. Default
    /// 1024.
    pub min_rate: u64,
    /// The largest head of a request, in bytes. Larger ones, and those of more than a hundred fields, are answered 431. Default 32
    /// KiB.
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
