//! What matters while a cache is on standby.

use crate::index_log::log_file::ReadLog;

/// What a cache on standby knows.
#[derive(Default)]
pub(crate) struct Standby {
    /// A new cache: the index log, as far as it was read.
    pub read: Option<ReadLog>,
    /// A cache that was active: the version of the directory when it went on standby.
    pub version: Option<u64>,
}
