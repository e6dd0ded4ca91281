//! Files in the cache's directory: sidecars and index logs, which may have been written by other programs, or damaged.

mod index_logs;
mod sidecars;

pub use index_logs::index_log;
pub use sidecars::sidecar;
