//! The file of the index log.

use std::ops::RangeInclusive;

use crate::bindings::wasi::filesystem::types::Descriptor;

/// The name of the log.
pub(crate) const LOG: &str = "index.log";

/// The name of the new log, until it replaces the old one.
pub(crate) const NEW_LOG: &str = "index.log.new";

/// The approximate size of a record about an entry, in bytes.
const RECORD_BYTES: u64 = 70;

/// A log is not rewritten just because of its size while it takes up at most this fraction (1/16) of the disk space that is reserved for
/// everything but entries. `SMALL` is the range to which that size is clamped.
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
    /// The counters that it contains.
    pub counters: Vec<u64>,
    /// Whether it lacks data that can no longer be appended.
    pub outdated: bool,
}

/// The log as it was read. The entries in it are in the index.
pub(crate) struct ReadLog {
    /// The log, which can be appended to.
    pub log: IndexLog,
    /// If the directory was closed cleanly, its version at that time.
    pub closed: Option<u64>,
}

impl IndexLog {
    /// The generation of the log, and the offset of its end.
    pub fn end(&self) -> (u64, u64) {
        (self.generation, self.bytes)
    }

    /// Whether it should be rewritten, given the number of entries and the reserved disk space.
    pub fn is_outdated(&self, entries: usize, reserved: u64) -> bool {
        let small = (reserved / SMALL_SHARE).clamp(*SMALL.start(), *SMALL.end());
        self.outdated || self.bytes > small + 2 * RECORD_BYTES * entries as u64
    }

    /// The approximate size in bytes of a log that has just been rewritten.
    pub fn expected_bytes(entries: usize) -> u64 {
        *SMALL.start() + (RECORD_BYTES + 1) * entries as u64
    }
}
