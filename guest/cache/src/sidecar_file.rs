//! Reads sidecars from the directory.

use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR, Sidecar};

use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::disk::Disk;

/// The sidecar in the file with this name and its own size in bytes, if it describes the entry with this digest.
///
/// # Errors
/// The error of the file system.
pub async fn read_sidecar(disk: &Disk, name: String, digest: KeyDigest) -> Result<Option<(Sidecar, u64)>, ErrorCode> {
    let blob = disk.read(name).await?;
    if blob.size() > LARGEST_SIDECAR {
        return Ok(None);
    }
    let sidecar = Sidecar::from_json(&blob.head(LARGEST_SIDECAR as u32)?);
    Ok(sidecar.filter(|sidecar| KeyDigest::of(&sidecar.url) == digest).map(|sidecar| (sidecar, blob.size())))
}
