//! What a cache is made with, with the defaults filled in.

use crate::bindings::exports::media_cache::cache::cache::Options;

const MIB: u64 = 1 << 20;

/// See `options` in the WIT.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Below the first preopened directory.
    pub directory: String,
    /// In bytes, at least 1.
    pub max_disk_bytes: u64,
    /// 0: none.
    pub max_memory_items: u32,
    /// In bytes.
    pub max_memory_bytes: u64,
    /// In milliseconds.
    pub failure_memory_ms: u32,
    /// Name and value.
    pub policy_options: Vec<(String, String)>,
}

impl From<Options> for Settings {
    fn from(options: Options) -> Self {
        Self {
            directory: options.directory.unwrap_or_else(|| "media_cache".into()),
            max_disk_bytes: options.max_disk_bytes.unwrap_or(500 * MIB).max(1),
            max_memory_items: options.max_memory_items.unwrap_or(64),
            max_memory_bytes: options.max_memory_bytes.unwrap_or(256 * MIB),
            failure_memory_ms: options.failure_memory_ms.first().map_or(5000, |(_, time)| *time),
            policy_options: options.policy_options,
        }
    }
}
