//! Serves connections from clients, which may be slow, silent, or far too numerous. Each connection has limits, and the number of
//! connections is limited too, so their total use of resources is bounded.

mod accept;
pub(crate) mod body;
mod client_stream;
mod close;
mod connection;
pub(crate) mod counters;
mod exchange;
pub(crate) mod file_body;
mod guarded_stream;
mod http1;
mod http2;
mod http2_request;
mod http2_stream;
pub(crate) mod in_place;
mod lane_stream;
mod limits;
mod min_rate;
mod permits;
mod routes;
mod sending;
mod stream_body;
mod stream_executor;
mod stream_progress;
mod streams;
mod timer;
pub(crate) mod tls;
mod write_guard;

pub use accept::{MAX_REFUSALS, serve_connections};
pub use counters::{ConnectionStats, Connections, Ending};
pub use limits::ClientLimits;
pub use routes::Routes;
pub use tls::{Certificate, SharedTls};
