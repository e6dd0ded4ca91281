//! The disk usage of the files of an entry.

/// The block size in which disk usage is counted, in bytes.
pub const BLOCK: u64 = 4096;

/// The disk usage of both files of an entry, in whole blocks.
#[must_use]
pub fn disk_size(media: u64, sidecar: u64) -> u64 {
    let blocks = |bytes: u64| bytes.div_ceil(BLOCK).saturating_mul(BLOCK);
    blocks(media).saturating_add(blocks(sidecar))
}
