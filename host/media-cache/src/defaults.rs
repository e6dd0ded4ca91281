//! The defaults of a cache's options. The cache component has the same defaults, for hosts that omit options.

use std::num::NonZeroU64;

/// The directory of the entries, relative to the working directory.
pub const DIRECTORY: &str = "media_cache";

/// The disk budget in bytes: 500 MiB.
pub const MAX_DISK_BYTES: NonZeroU64 = match NonZeroU64::new(500 << 20) {
    Some(bytes) => bytes,
    None => NonZeroU64::MIN,
};

/// The part of the disk budget that is reserved for everything but entries, in bytes: an eighth.
#[must_use]
pub const fn reserved_by_default(max_disk_bytes: u64) -> u64 {
    max_disk_bytes / 8
}

/// The maximum number of items in the memory tier.
pub const MAX_MEMORY_ITEMS: u32 = 64;

/// The maximum number of bytes in the memory tier: 256 MiB.
pub const MAX_MEMORY_BYTES: u64 = 256 << 20;

/// The maximum number of entry files that are kept open.
pub const MAX_OPEN_FILES: u32 = 256;

/// The longest `Retry-After` from an origin that is respected, in seconds.
pub const MAX_RETRY_AFTER_SECONDS: u32 = 600;
