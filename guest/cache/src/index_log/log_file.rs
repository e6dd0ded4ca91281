//! The file of the index log.

use crate::bindings::wasi::filesystem::types::Descriptor;

/// The name of the log.
pub(crate) const LOG: &str = "index.log";

/// The name of the log that is to take its place.
pub(super) const NEW_LOG: &str = "index.log.new";

/// The bytes of a record about an entry.
const RECORD_BYTES: u64 = 70;

/// The size up to which a log is never written anew.
const SMALL: u64 = 1 << 18;

/// A log that can be appended to.
pub(crate) struct IndexLog {
    pub(super) file: Descriptor,
    pub(super) generation: u64,
    /// The number of the next frame.
    pub(super) frames: u32,
    /// Where the next frame begins.
    pub(super) bytes: u64,
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
