//! What is read from the directory: sidecars and index logs, which other programs and accidents may have written.

mod index_logs;
mod sidecars;

pub use index_logs::index_log;
pub use sidecars::sidecar;
