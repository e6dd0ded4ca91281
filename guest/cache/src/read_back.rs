//! Reads an entry's bytes from disk, verifies them, and makes the entry resident.

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::disk::blames_the_file;
use crate::index::Slot;
use crate::sidecar_file::read_sidecar;
use crate::state::State;

/// The outcome of reading an entry.
pub(crate) enum ReadBack {
    Complete(CachedMedia),
    /// The entry no longer exists.
    Gone,
    /// The entry exists, and cannot be read now.
    Unreadable,
}

/// The outcome of reading a file.
enum Checked {
    /// The expected bytes, with their digest if it is known.
    Intact(Blob, Option<[u8; 32]>),
    /// Other bytes, or no file.
    Damaged,
    /// The file could not be read, for a reason that need not be its own.
    Unreadable,
}

impl Cache {
    /// Reads the bytes of an entry. If they are damaged, the entry is dropped.
    pub(crate) async fn read_back(&self, slot: Slot) -> ReadBack {
        self.compare_sidecar(slot).await;
        let (handle, name, size, digest) = {
            let state = self.state.borrow();
            let Some(entry) = state.index.get(slot) else { return ReadBack::Gone };
            (state.index.handle(slot), entry.digest.media_file(), entry.size, entry.body_digest)
        };
        let read = self.read_checked(name, size, digest).await;
        let damaged = match (read, &mut *self.state.borrow_mut()) {
            (Checked::Intact(blob, digest), state) => {
                return state.make_resident(handle, blob, digest).map_or(ReadBack::Gone, ReadBack::Complete);
            }
            (Checked::Unreadable, _) => return ReadBack::Unreadable,
            (Checked::Damaged, state) => {
                // Whoever removed the entry meanwhile has deleted its files.
                let Some(slot) = state.index.resolve(handle) else { return ReadBack::Gone };
                if state.index.get(slot).is_some_and(|entry| entry.replacing.is_some()) {
                    return ReadBack::Gone;
                }
                state.counters.damaged += 1;
                state.remove_entry(slot)
            }
        };
        self.delete_evicted(damaged).await;
        ReadBack::Gone
    }

    /// Describes an entry of the snapshot as its sidecar does, which may have been written since.
    async fn compare_sidecar(&self, slot: Slot) {
        let (handle, digest) = {
            let state = self.state.borrow();
            match state.index.get(slot).filter(|entry| entry.from_snapshot) {
                Some(entry) => (state.index.handle(slot), entry.digest),
                None => return,
            }
        };
        let Some(disk) = self.disk.borrow().clone() else { return };
        // Without a sidecar that can be read, the digest in the snapshot is what the bytes have to agree with.
        let Ok(Some((sidecar, sidecar_size))) = read_sidecar(&disk, digest.sidecar_file(), digest).await else { return };
        let state = &mut *self.state.borrow_mut();
        let Some(slot) = state.index.resolve(handle) else { return };
        if state.index.get(slot).is_some_and(|entry| entry.from_snapshot && entry.size == sidecar.size) {
            state.index.describe(slot, sidecar, sidecar_size);
        }
    }

    /// Reads a file that should have this size and digest.
    async fn read_checked(&self, name: String, size: u64, expected: Option<[u8; 32]>) -> Checked {
        let Some(disk) = self.disk.borrow().clone() else { return Checked::Unreadable };
        let blob = match disk.read(name).await {
            Ok(blob) if blob.size() == size => blob,
            Ok(_) => return Checked::Damaged,
            Err(error) if blames_the_file(&error) => return Checked::Damaged,
            Err(_) => return Checked::Unreadable,
        };
        let in_memory = self.state.borrow().memory_tier.fits_in_memory(size);
        let Ok(blob) = (if in_memory { blob.load().await } else { Ok(blob) }) else { return Checked::Unreadable };
        if expected.is_none() && !blob.in_memory() {
            return Checked::Intact(blob, None);
        }
        let digest = blob.digest().await.ok().and_then(|digest| <[u8; 32]>::try_from(digest).ok());
        match digest {
            Some(digest) if expected.is_none_or(|expected| expected == digest) => Checked::Intact(blob, Some(digest)),
            Some(_) => Checked::Damaged,
            None => Checked::Unreadable,
        }
    }
}

impl State {
    /// Makes an entry resident with bytes that were read from disk. `None` if it no longer exists.
    fn make_resident(&mut self, handle: u64, blob: Blob, digest: Option<[u8; 32]>) -> Option<CachedMedia> {
        let slot = self.index.resolve(handle)?;
        let entry = self.index.get_mut(slot)?;
        entry.body_digest = entry.body_digest.or(digest);
        let media = CachedMedia::stored(entry, blob.share(), handle);
        self.memory_tier.place(&mut self.index, slot, blob);
        Some(media)
    }
}
