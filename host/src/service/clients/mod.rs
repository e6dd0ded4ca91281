//! Connections from clients, any of which may be slow, silent, or one of far too many: each has its limits, and so has the whole, so
//! that what all of them take up together is bounded.

mod accept;
mod alarm;
mod body;
mod connection;
mod counters;
mod guarded;
mod pace;
mod turn;

use std::num::NonZeroUsize;
use std::time::Duration;

pub use accept::serve_connections;
pub(super) use body::came_too_slowly;
pub use counters::{ConnectionStats, Connections, Ending};

/// What clients may take up. The defaults are those of `media-cache serve`.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Connections at once. Who comes beyond them is answered 503 and closed. Default 4096.
    pub max_connections: NonZeroUsize,
    /// Connections at once from one address, or from one /64 network of IPv6. Who comes beyond them is answered 429 and closed.
    /// Default: no limit, since all clients of a reverse proxy have its address.
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// For how long the head of a request may take to come in: from its first byte, or from the start of a connection. Default 10
    /// seconds.
    pub header_timeout: Duration,
    /// For how long a connection may be kept without a request, after the first one. Default 60 seconds.
    pub idle_timeout: Duration,
    /// How much waiting for a client it takes to judge whether it is too slow. Time that the client waits for this service does not
    /// count. Default 30 seconds.
    pub patience: Duration,
    /// How many bytes have to go through in each second of waiting for a client, on an average over [`patience`](Self::patience): of
    /// a body that it sends, or of an answer that it takes. Zero asks only that any byte goes through in that time. Default 1024.
    pub min_rate: u64,
    /// How large the head of a request may be, in bytes. Larger ones, and those of more than a hundred fields, are answered 431. Default
    /// 32 KiB.
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
