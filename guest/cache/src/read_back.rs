//! Reads an entry from disk, verifies it, and makes it resident.
//!
//! The sidecar is read together with the media: it has the media type, the file name and the digest of the bytes, and another program may
//! have replaced both files. An entry whose file is open was verified before, so if neither file has changed since, it is not verified
//! again.

use std::sync::Arc;

use media_cache_entry_files::{KeyDigest, Sidecar};

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::storage::Stamp;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::disk::{Disk, blames_the_file};
use crate::entry::{Entry, EntryState, Evicted};
use crate::memory_tier::Resident;
use crate::open_files::OpenFile;
use crate::sidecar_file::{StampedSidecar, read_sidecar};
use crate::state::State;

/// The outcome of reading an entry.
pub(crate) enum ReadBack {
    Complete(CachedMedia),
    /// The entry was dropped, or changed in the meantime.
    Changed,
    /// There is no such entry.
    Absent,
    /// The entry exists, but cannot be read now.
    Unreadable,
}

/// The outcome of reading the files.
enum Checked {
    /// The sidecar, its version, the bytes that it describes, their digest if it is known, and the file that they are in.
    Intact(Sidecar, Stamp, Blob, Option<[u8; 32]>, Blob),
    /// A file is missing, or the files are inconsistent.
    Damaged,
    /// This file could not be read. The cause may be something other than the file.
    Unreadable(String, ErrorCode),
}

impl Cache {
    /// Reads an entry. If it is damaged, it is dropped.
    pub(crate) async fn read_back(&self, digest: KeyDigest) -> ReadBack {
        let Some(disk) = self.disk.borrow().clone() else { return ReadBack::Unreadable };
        while let Some(deleted) = self.pending_deletes.follow(&digest) {
            let _ = deleted.await;
        }
        let before = self.state.borrow().handle_of(&digest);
        if let Some(read) = self.read_open_file(&disk, digest).await {
            return read;
        }
        let mut checked = read_checked(self, &disk, digest).await;
        let permit = self.permits.acquire();
        if matches!(checked, Checked::Damaged) && permit.is_some() && self.complete_replacement(&disk, digest).await {
            checked = read_checked(self, &disk, digest).await;
        }
        let dropped = {
            let state = &mut *self.state.borrow_mut();
            if state.handle_of(&digest) != before || state.is_replaced(&digest) {
                return ReadBack::Changed;
            }
            match checked {
                Checked::Intact(sidecar, stamp, body, body_digest, file) => {
                    state.read_succeeded();
                    let resident = Resident { body, metadata: sidecar.metadata.clone(), body_digest };
                    return state.make_resident(digest, &(sidecar, stamp), resident, file);
                }
                Checked::Unreadable(file, error) => {
                    state.read_failed(digest, &file, &error);
                    return ReadBack::Unreadable;
                }
                // The successor will find the damage.
                Checked::Damaged if permit.is_none() => return ReadBack::Unreadable,
                Checked::Damaged => match state.drop_damaged(&digest) {
                    Some(files) => files,
                    None => return ReadBack::Absent,
                },
            }
        };
        self.delete_evicted([dropped]).await;
        ReadBack::Changed
    }

    /// Reads an entry from its open file, unless the file or the sidecar has changed since the file was opened.
    async fn read_open_file(&self, disk: &Disk, digest: KeyDigest) -> Option<ReadBack> {
        let (handle, open) = {
            let state = self.state.borrow();
            let slot = state.index.find(&digest)?;
            (state.index.handle(slot), state.memory_tier.open_file(slot)?.share())
        };
        if !open.body.unchanged() {
            return None;
        }
        let stamp = disk.stamp(digest.sidecar_file()).await.ok()?;
        let fits = self.state.borrow().memory_tier.fits(open.body.size());
        let body = if fits { open.body.load().await.ok()? } else { open.body.share() };
        // If the file has changed, these may not be the bytes that were verified.
        if !open.body.unchanged() {
            return None;
        }
        let OpenFile { metadata, body_digest, .. } = open;
        let state = &mut *self.state.borrow_mut();
        let slot = state.index.resolve(handle)?;
        let is_same = state.memory_tier.open_file(slot).is_some_and(|open| Arc::ptr_eq(&open.metadata, &metadata));
        let entry = state.index.get(slot)?;
        if entry.state != EntryState::Stored || !entry.has_sidecar(stamp) || !is_same {
            return None;
        }
        state.read_succeeded();
        let media = CachedMedia::stored(&body, &metadata, handle);
        state.memory_tier.place(&state.index, slot, Resident { body, metadata, body_digest });
        Some(ReadBack::Complete(media))
    }
}

/// Whether the files of an entry seem to be readable now, or have been removed or replaced by something else since they could not be read.
/// Only the beginning of the media is read, since it may be large.
pub(crate) async fn can_be_read(disk: &Disk, digest: KeyDigest) -> bool {
    let sidecar = read_sidecar(disk, digest.sidecar_file(), digest).await.map(drop);
    let media = disk.read_beginning(digest.media_file()).await;
    [sidecar, media].iter().all(|read| read.as_ref().map_or_else(blames_the_file, |()| true))
}

async fn read_checked(cache: &Cache, disk: &Disk, digest: KeyDigest) -> Checked {
    let [sidecar_file, media_file] = [digest.sidecar_file(), digest.media_file()];
    let (sidecar, stamp) = match read_sidecar(disk, sidecar_file.clone(), digest).await {
        Ok(Some(sidecar)) => sidecar,
        Ok(None) => return Checked::Damaged,
        Err(error) if blames_the_file(&error) => return Checked::Damaged,
        Err(error) => return Checked::Unreadable(sidecar_file, error),
    };
    let file = match disk.read(media_file.clone()).await {
        Ok(file) if file.size() == sidecar.size => file,
        Ok(_) => return Checked::Damaged,
        Err(error) if blames_the_file(&error) => return Checked::Damaged,
        Err(error) => return Checked::Unreadable(media_file, error),
    };
    let fits = cache.state.borrow().memory_tier.fits(sidecar.size);
    let blob = match if fits { file.load().await } else { Ok(file.share()) } {
        Ok(blob) => blob,
        Err(error) if blames_the_file(&error) => return Checked::Damaged,
        Err(error) => return Checked::Unreadable(media_file, error),
    };
    let expected = sidecar.body_digest;
    if expected.is_none() && !blob.in_memory() {
        return Checked::Intact(sidecar, stamp, blob, None, file);
    }
    match blob.digest().await.map(<[u8; 32]>::try_from) {
        Ok(Ok(digest)) if expected.is_none_or(|expected| expected == digest) => {
            Checked::Intact(sidecar, stamp, blob, Some(digest), file)
        }
        Ok(_) => Checked::Damaged,
        Err(error) if blames_the_file(&error) => Checked::Damaged,
        Err(error) => Checked::Unreadable(media_file, error),
    }
}

impl State {
    pub(crate) fn handle_of(&self, digest: &KeyDigest) -> Option<u64> {
        self.index.find(digest).map(|slot| self.index.handle(slot))
    }

    /// Whether the entry is in the index and both of its files exist.
    pub(crate) fn is_stored(&self, digest: &KeyDigest) -> bool {
        self.index.find(digest).and_then(|slot| self.index.get(slot)).is_some_and(Entry::is_stored)
    }

    /// Whether the files are being written or replaced. During a replacement, the old media is served from memory or an open file.
    pub(crate) fn is_replaced(&self, digest: &KeyDigest) -> bool {
        let entry = self.index.find(digest).and_then(|slot| self.index.get(slot));
        entry.is_some_and(Entry::is_being_written)
    }

    /// Makes an entry resident with the bytes that were read from disk. While the directory is being loaded, it may be new to the index.
    fn make_resident(&mut self, digest: KeyDigest, sidecar: &StampedSidecar, resident: Resident, file: Blob) -> ReadBack {
        let (sidecar, stamp) = sidecar;
        let slot = match self.index.find(&digest) {
            Some(slot) => slot,
            None if self.loading.as_ref().is_some_and(|loading| !loading.removed.contains_key(&digest)) => {
                self.index.insert(Entry::new(digest, sidecar, *stamp, EntryState::Unverified))
            }
            None => return ReadBack::Changed,
        };
        self.remains.forget(&digest);
        let Some(entry) = self.index.get(slot) else { return ReadBack::Changed };
        let is_verified = entry.is_stored();
        if entry.size != sidecar.size || !entry.has_sidecar(*stamp) {
            self.describe(slot, &Entry::new(digest, sidecar, *stamp, EntryState::Stored));
            self.index.promote(slot);
        }
        if !is_verified {
            self.index.promote(slot);
            self.track_verified(slot);
        }
        let Resident { body, metadata, body_digest } = &resident;
        let media = CachedMedia::stored(body, metadata, self.index.handle(slot));
        let file = OpenFile { body: file, metadata: Arc::clone(metadata), body_digest: *body_digest };
        self.memory_tier.keep_open(slot, file);
        self.memory_tier.place(&self.index, slot, resident);
        ReadBack::Complete(media)
    }

    /// Tracks an entry that was read before the load reached it.
    fn track_verified(&mut self, slot: crate::index::Slot) {
        let restored = self.loading.as_ref().is_none_or(|loading| loading.restored);
        let Some(entry) = self.index.get_mut(slot) else { return };
        entry.state = EntryState::Stored;
        if restored && !entry.tracked {
            entry.tracked = true;
            let entry = entry.for_policy(slot.into(), entry.disk_size());
            self.disk_tier.restore(&[entry]);
        }
    }

    /// Drops an entry whose files are damaged, and returns its files. Entries that are not verified yet are left to the load.
    pub(crate) fn drop_damaged(&mut self, digest: &KeyDigest) -> Option<Evicted> {
        let slot = self.index.find(digest).filter(|slot| self.index.get(*slot).is_some_and(Entry::is_stored))?;
        self.counters.damaged += 1;
        self.take_entry(slot)
    }
}
