//! What is read from the directory: sidecars and snapshots, which other programs and accidents may have written.

mod sidecars;
mod snapshots;

pub use sidecars::sidecar;
pub use snapshots::snapshot;
