//! Files in the cache's directory: sidecars and index logs, which other programs may have written, or accidents damaged.

mod index_logs;
mod sidecars;

pub use index_logs::index_log;
pub use sidecars::sidecar;
