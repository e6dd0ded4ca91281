//! The index log: what sidecars do not have (the order of use, the hits, the counters), and a summary of each of them, so that a start
//! need not read them.
//!
//! It is derived data. The two files of an entry are the truth: whatever the log says about an entry is verified before anything is
//! deleted or served because of it, and a log that is lost, outdated or damaged costs the order and the hits.
//!
//! `checkpoint` appends what has changed since the last time. Once half of the log is outdated, it is written anew next to the old one, in
//! slices, and then takes its place.

mod append;
pub mod frame;
pub(crate) mod log_file;
mod read;
pub mod record;
mod rewrite;
