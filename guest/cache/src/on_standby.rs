//! The state of a cache on standby.

use crate::index_log::log_file::ReadLog;

/// The state of a cache on standby.
#[derive(Default)]
pub(crate) struct Standby {
    /// For a new cache: the part of the index log that has been read.
    pub read: Option<ReadLog>,
    /// For a cache that was active: the version of the directory when it went on standby.
    pub version: Option<u64>,
}
