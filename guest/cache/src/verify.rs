//! Checks an entry in full without serving it. This changes neither the order of use nor which entries are resident.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::Verified;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::disk::{Disk, blames_the_file};
use crate::sidecar_file::read_sidecar;
use crate::single_flight::Role;

/// How many times an entry that seems to be damaged is checked. Another program may have replaced both files during the first check.
const LOOKS: u32 = 2;

/// The outcome of reading both files.
enum Files {
    /// The files are consistent. This many bytes were read.
    Intact(u64),
    Damaged,
    /// This file cannot be read.
    Unreadable(String, ErrorCode),
}

impl Cache {
    /// Implements `verify`, which the WIT documents.
    pub async fn verify(&self, url: &str) -> Verified {
        let digest = self.lookup_key(url).digest;
        // Until the directory is loaded, the load verifies entries.
        let Some(disk) = self.disk.borrow().clone().filter(|_| self.report.get().is_some()) else { return Verified::InUse };
        // If the entry is being read, that read verifies it. A replacement of the files waits for a check in progress; requests do not.
        let Role::Leader(check) = self.verifications.join(&digest) else { return Verified::InUse };
        if self.reads.is_led(&digest) || self.state.borrow().is_replaced(&digest) {
            return Verified::InUse;
        }
        let Some(before) = self.state.borrow().handle_of(&digest) else { return Verified::Absent };
        let mut files = read_files(&disk, digest).await;
        let permit = self.permits.acquire();
        for _ in 1..LOOKS {
            if matches!(files, Files::Damaged) && permit.is_some() {
                self.complete_replacement(&disk, digest).await;
                files = read_files(&disk, digest).await;
            }
        }
        let dropped = {
            let state = &mut *self.state.borrow_mut();
            if state.handle_of(&digest) != Some(before) || state.is_replaced(&digest) {
                return Verified::InUse;
            }
            match files {
                Files::Intact(bytes) => return Verified::Intact(bytes),
                Files::Unreadable(file, error) => {
                    state.read_failed(digest, &file, &error);
                    return Verified::Unreadable;
                }
                Files::Damaged if permit.is_none() => return Verified::InUse,
                Files::Damaged => state.drop_damaged(&digest),
            }
        };
        check.finish(|| ());
        self.delete_evicted(dropped).await;
        Verified::Damaged
    }
}

async fn read_files(disk: &Disk, digest: KeyDigest) -> Files {
    let [sidecar_file, media_file] = [digest.sidecar_file(), digest.media_file()];
    let (sidecar, stamp) = match read_sidecar(disk, sidecar_file.clone(), digest).await {
        Ok(Some(sidecar)) => sidecar,
        Ok(None) => return Files::Damaged,
        Err(error) if blames_the_file(&error) => return Files::Damaged,
        Err(error) => return Files::Unreadable(sidecar_file, error),
    };
    let blob = match disk.read(media_file.clone()).await {
        Ok(blob) if blob.size() == sidecar.size => blob,
        Ok(_) => return Files::Damaged,
        Err(error) if blames_the_file(&error) => return Files::Damaged,
        Err(error) => return Files::Unreadable(media_file, error),
    };
    // Another program's sidecar may have no digest.
    let Some(expected) = sidecar.body_digest else { return Files::Intact(stamp.size) };
    match blob.digest().await {
        Ok(found) if found == expected => Files::Intact(stamp.size + sidecar.size),
        Ok(_) => Files::Damaged,
        Err(error) if blames_the_file(&error) => Files::Damaged,
        Err(error) => Files::Unreadable(media_file, error),
    }
}
