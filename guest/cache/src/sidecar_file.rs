//! Reads sidecars from the directory.

use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR, Sidecar};

use crate::bindings::media_cache::cache::storage::{FileContent, Stamp};
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::disk::Disk;

/// A sidecar, and its version.
pub type StampedSidecar = (Sidecar, Stamp);

/// The sidecar in the file with this name, if it describes the entry with this digest.
///
/// # Errors
/// Returns the file system error.
pub async fn read_sidecar(disk: &Disk, name: String, digest: KeyDigest) -> Result<Option<StampedSidecar>, ErrorCode> {
    let content = disk.read_small(vec![name], LARGEST_SIDECAR as u32).await.pop();
    content.unwrap_or(Err(ErrorCode::NoEntry)).map(|content| parse_sidecar(&content, digest))
}

/// The sidecar with this content, if it describes the entry with this digest.
#[must_use]
pub fn parse_sidecar(content: &FileContent, digest: KeyDigest) -> Option<StampedSidecar> {
    let sidecar = Sidecar::from_json(&content.bytes)?;
    (KeyDigest::of(&sidecar.url) == digest).then_some((sidecar, content.stamp))
}
