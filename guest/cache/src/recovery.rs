//! Completes or undoes interrupted replacements of entries.
//!
//! `replace` writes `.dat.new`, then `.json.new`, and then renames them in the same order. If there is a new sidecar with the digest of the
//! new body (or of the current body, if there is no new one), the remaining renames are completed. Any other replacement was interrupted
//! before both files were written: the new files are removed, and the old ones are untouched.

use media_cache_entry_files::KeyDigest;

use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::disk::Disk;
use crate::sidecar_file::read_sidecar;

/// Which new files of an entry exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewFiles {
    pub media: bool,
    pub sidecar: bool,
}

impl NewFiles {
    /// The names of the new files that exist.
    pub fn names(self, digest: KeyDigest) -> impl Iterator<Item = String> {
        let sidecar = self.sidecar.then(|| digest.new_sidecar_file());
        sidecar.into_iter().chain(self.media.then(|| digest.new_media_file()))
    }
}

/// The outcome of recovering a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// The entry has its new files.
    Completed,
    /// This number of new files was removed.
    Undone(u64),
}

/// Completes or undoes the replacement of an entry. If this fails, the next start tries again.
pub(crate) async fn recover(disk: &Disk, digest: KeyDigest, new: NewFiles) -> Result<Recovered, ErrorCode> {
    let body = if new.media { digest.new_media_file() } else { digest.media_file() };
    if new.sidecar && describes(disk, digest, body).await? {
        if new.media {
            disk.rename(digest.new_media_file(), digest.media_file()).await?;
        }
        disk.rename(digest.new_sidecar_file(), digest.sidecar_file()).await?;
        disk.sync_renames().await?;
        return Ok(Recovered::Completed);
    }
    disk.remove(digest.new_sidecar_file()).await?;
    disk.remove(digest.new_media_file()).await?;
    Ok(Recovered::Undone(u64::from(new.media) + u64::from(new.sidecar)))
}

/// Whether the new sidecar describes the entry and this body.
async fn describes(disk: &Disk, digest: KeyDigest, body: String) -> Result<bool, ErrorCode> {
    let Some((sidecar, _)) = read_sidecar(disk, digest.new_sidecar_file(), digest).await? else { return Ok(false) };
    match disk.read(body).await {
        Ok(body) if body.size() == sidecar.size => {
            let digest = body.digest().await?;
            Ok(sidecar.body_digest.is_some_and(|expected| digest == expected))
        }
        Ok(_) | Err(ErrorCode::NoEntry) => Ok(false),
        Err(error) => Err(error),
    }
}
