//! The file of the index log.

use std::ops::RangeInclusive;

use crate::bindings::wasi::filesystem::types::Descriptor;

/// The name of the log.
pub(crate) const LOG: &str = "index.log";

/// The name of the log that is to take its place.
pub(crate) const NEW_LOG: &str = "index.log.new";

/// The bytes of a record about an entry.
const RECORD_BYTES: u64 = 70;

/// A log up to this share of the disk space that is reserved for everything but entries, within limits, is never written anew.
const SMALL_SHARE: u64 = 16;
const SMALL: RangeInclusive<u64> = 4096..=1 << 18;

/// A log that can be appended to.
pub(crate) struct IndexLog {
    pub(super) file: Descriptor,
    pub(super) generation: u64,
    /// The number of the next frame.
    pub(super) frames: u32,
    /// Where the next frame begins.
    pub bytes: u64,
    /// The counters that it has.
    pub counters: Vec<u64>,
    /// Whether it lacks something that cannot be appended.
    pub outdated: bool,
}

/// What the log said, besides what is in the index now.
pub(crate) struct ReadLog {
    /// The log, to be appended to.
    pub log: IndexLog,
    /// If the directory was closed cleanly, its version then.
    pub closed: Option<u64>,
}

impl IndexLog {
    /// Its generation, and where it ends.
    pub fn end(&self) -> (u64, u64) {
        (self.generation, self.bytes)
    }

    /// Whether it should be written anew, with this number of entries and this reserved disk space.
    pub fn is_outdated(&self, entries: usize, reserved: u64) -> bool {
        let small = (reserved / SMALL_SHARE).clamp(*SMALL.start(), *SMALL.end());
        self.outdated || self.bytes > small + 2 * RECORD_BYTES * entries as u64
    }

    /// About the size of one that has just been written anew, in bytes.
    pub fn expected_bytes(entries: usize) -> u64 {
        *SMALL.start() + (RECORD_BYTES + 1) * entries as u64
    }
}
