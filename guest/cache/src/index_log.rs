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
mod read;
pub mod record;
mod rewrite;

use crate::bindings::wasi::filesystem::types::Descriptor;

/// The name of the log.
pub(crate) const LOG: &str = "index.log";

/// The name of the log that is to take its place.
const NEW_LOG: &str = "index.log.new";

/// The bytes of a record about an entry.
const RECORD_BYTES: u64 = 70;

/// The size up to which a log is never written anew.
const SMALL: u64 = 1 << 18;

/// A log that can be appended to.
pub(crate) struct IndexLog {
    file: Descriptor,
    generation: u64,
    /// The number of the next frame.
    frames: u32,
    /// Where the next frame begins.
    bytes: u64,
    /// The counters that it has.
    pub counters: Vec<u64>,
    /// Whether it lacks something that cannot be appended.
    pub outdated: bool,
}

impl IndexLog {
    /// Whether it should be written anew, with this number of entries.
    pub fn is_outdated(&self, entries: usize) -> bool {
        self.outdated || self.bytes > SMALL + 2 * RECORD_BYTES * entries as u64
    }
}
