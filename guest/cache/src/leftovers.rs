//! Unneeded files that could not be deleted: temporary files, media without a sidecar, and the new files of a replacement. They take up
//! space, and the next start would mistake new files for those of the entry. While there are leftovers with the name of an entry, nothing
//! is stored or deleted under that name. The deletion is retried.

use media_cache_entry_files::{FileKind, KeyDigest};

use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::clock;
use crate::disk::Disk;
use crate::disk_health::Operation;
use crate::entry::Entry;
use crate::recovery::{NewFiles, Recovered, recover};
use crate::state::State;

impl Cache {
    /// Reports leftovers to the health of the cache, if there are any.
    pub(crate) fn report_leftovers(&self, disk: &Disk) {
        if let Some(reason) = disk.leftover_reason() {
            self.state.borrow_mut().disk_health.failed(Operation::Delete, reason, clock::now());
        }
    }

    /// Retries the deletion of leftovers, except for those that an entry uses now.
    pub(crate) async fn delete_leftovers(&self, disk: &Disk) {
        for name in disk.leftovers() {
            let use_ = self.state.borrow().use_of(&name);
            match use_ {
                Use::None => drop(disk.clean_up(name).await),
                Use::NewSidecar(digest) => drop(self.complete_replacement(disk, digest).await),
                Use::Other => {}
            }
        }
    }

    /// Puts the new sidecar of an entry in place, if that failed when the entry was replaced. Returns whether this was done.
    pub(crate) async fn complete_replacement(&self, disk: &Disk, digest: KeyDigest) -> bool {
        let name = digest.new_sidecar_file();
        if !disk.is_leftover(&name) {
            return false;
        }
        match recover(disk, digest, NewFiles { media: false, sidecar: true }).await {
            Ok(recovered) => matches!(recovered, Recovered::Completed),
            // Another program deleted it.
            Err(ErrorCode::NoEntry) => {
                disk.clean_up(name).await;
                false
            }
            Err(_) => false,
        }
    }
}

/// How a leftover relates to an entry.
enum Use {
    /// It is not used by any entry.
    None,
    /// It may be the new sidecar of an entry, which could not be put in place.
    NewSidecar(KeyDigest),
    /// The entry is being written, or cannot be read.
    Other,
}

impl State {
    fn use_of(&self, name: &str) -> Use {
        let Some(digest) = name.split_once('.').and_then(|(stem, _)| KeyDigest::from_hex(stem)) else { return Use::None };
        let entry = self.index.find(&digest).and_then(|slot| self.index.get(slot));
        match FileKind::of(name) {
            _ if entry.is_some_and(Entry::is_being_written) || self.remains.has(&digest) => Use::Other,
            FileKind::NewSidecar(digest) if entry.is_some() => Use::NewSidecar(digest),
            FileKind::Media(_) | FileKind::Sidecar(_) if entry.is_some() => Use::Other,
            _ => Use::None,
        }
    }
}

/// Deletes the new files of an earlier replacement of an entry, if there may be any.
///
/// # Errors
/// Returns the file system error.
pub(crate) async fn delete_new_files(disk: &Disk, digest: KeyDigest) -> Result<(), ErrorCode> {
    for name in [digest.new_sidecar_file(), digest.new_media_file()] {
        if disk.is_leftover(&name) {
            disk.remove(name).await?;
        }
    }
    Ok(())
}
