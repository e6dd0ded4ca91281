//! The index log: data that sidecars lack (the order of use, the hits, the counters), and a summary of each sidecar, so that a start does
//! not have to read all sidecars.
//!
//! It is derived data. The two files of an entry are authoritative: anything that the log says about an entry is verified before something
//! is deleted or served because of it. If the log is lost, outdated or damaged, only the order, the hits and the counters are lost.
//!
//! `checkpoint` appends the changes since the last time. Once half of the log is outdated, a new one is written next to it, in slices, and
//! then replaces it.

mod append;
pub mod frame;
pub(crate) mod log_file;
mod read;
pub mod record;
mod rewrite;
