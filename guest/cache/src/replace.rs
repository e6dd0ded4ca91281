//! Replaces the files of an entry while the old ones are served.
//!
//! A changed body is written as `.dat.new` and its sidecar as `.json.new`; then both are renamed, the body first. The sidecar has the
//! digest of its body, which lets a start complete or undo an interrupted replacement: see `recovery`. If the body is unchanged, only the
//! sidecar is replaced, with a single rename.
//!
//! An entry that cannot be read is replaced the same way. There is nothing to serve until its new files are in place, and if that fails,
//! the entry is left unchanged.

use std::sync::Arc;

use media_cache_entry_files::{Cacheability, KeyDigest, Sidecar, disk_size};

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::storage::Stamp;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::disk::Disk;
use crate::disk_health::Operation;
use crate::entry::{Entry, EntryState};
use crate::index::Slot;
use crate::lookup_key::LookupKey;
use crate::memory_tier::Resident;
use crate::open_files::OpenFile;
use crate::sidecar_file::read_sidecar;
use crate::state::State;
use crate::store::Stored;

/// An entry with new files.
pub(crate) struct Replaced {
    /// Its handle and bytes.
    pub stored: Stored,
    /// Whether its bytes have changed.
    pub modified: bool,
}

/// The disk space that a replacement needs, in bytes.
struct Needed {
    new_size: u64,
    /// The part of it that is already on disk.
    arrived: u64,
}

/// An entry that is being replaced. Until this is dropped, the entry can be neither evicted nor removed, and its new files take up space.
struct Replacement<'a> {
    cache: &'a Cache,
    slot: Slot,
    new_size: u64,
    old_size: u64,
}

impl Cache {
    /// Replaces an entry with media, whether or not the entry can be read. If the entry was evicted in the meantime, the media is stored.
    /// Only the leader of its fill may call this.
    pub(crate) async fn replace(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Replaced, StoreError> {
        if media.metadata.cacheability == Cacheability::NoStore {
            return Err(StoreError::NoStore);
        }
        let disk = self.open_disk()?;
        if self.report.get().is_none() {
            return Err(StoreError::NotReady);
        }
        let _permit = self.permits.acquire().ok_or(StoreError::NotReady)?;
        let sidecar = self.describe_media(key, media).await?;
        let json = sidecar.to_checked_json().map_err(StoreError::Disk)?;
        let old = self.find(&key.digest).await.map(|(old, _)| old);
        if old.is_none() && !self.state.borrow().is_stored(&key.digest) {
            return self.store_again(key, media).await;
        }
        let modified = old.is_none() || !self.has_body(&key.digest, media.handle, &sidecar).await;
        let new_size = disk_size(if modified { sidecar.size } else { 0 }, json.len() as u64);
        let arrived = if modified { media.body.arrived_bytes() } else { 0 };
        let Some(replacement) = self.begin_replacement(&disk, &key.digest, old, Needed { new_size, arrived }).await? else {
            return self.store_again(key, media).await;
        };
        let json = Blob::from_bytes(&json);
        let body = modified.then_some(&media.body);
        // Otherwise the new sidecar of an earlier replacement could be mistaken for that of this one.
        self.complete_replacement(&disk, key.digest).await;
        let mut written = write_new(&disk, key.digest, body, &json).await;
        if matches!(written, Err(ErrorCode::InsufficientSpace | ErrorCode::Quota)) && self.free_space(&disk, new_size).await {
            written = write_new(&disk, key.digest, body, &json).await;
        }
        if modified && written.is_ok() {
            // A read or a check in progress expects the old bytes. From now on, requests are served the old bytes that are held in memory
            // or an open file.
            while let Some(read) = self.reads.follow(&key.digest) {
                let _ = read.await;
            }
            while let Some(check) = self.verifications.follow(&key.digest) {
                let _ = check.await;
            }
            let renamed = disk.rename(key.digest.new_media_file(), key.digest.media_file()).await;
            written = renamed.and(written);
        }
        let stamp = match written {
            Ok(stamp) => stamp,
            Err(error) => {
                for name in [key.digest.new_sidecar_file(), key.digest.new_media_file()] {
                    disk.clean_up(name).await;
                }
                self.state.borrow_mut().unfinished = true;
                self.report_leftovers(&disk);
                return Err(self.disk_failed("replace the entry", &error));
            }
        };
        let mut committed = Ok(());
        if modified {
            committed = disk.sync_renames().await;
            let renamed = disk.rename(key.digest.new_sidecar_file(), key.digest.sidecar_file()).await;
            if let Err(error) = &renamed {
                // A retry, the next read of the entry, or the next start puts the new sidecar in place.
                disk.leave(key.digest.new_sidecar_file(), error);
            }
            committed = committed.and(renamed);
            committed = committed.and(disk.sync_renames().await);
        }
        committed = committed.and(self.make_durable(&disk).await);
        match committed {
            Ok(()) => self.state.borrow_mut().disk_health.succeeded(Operation::Store),
            // The new body is in place.
            Err(error) => {
                self.state.borrow_mut().unfinished = true;
                drop(self.disk_failed("replace the sidecar", &error));
            }
        }
        let resident = if modified { self.replaced_body(&disk, key.digest, &media.body, sidecar.body_digest).await } else { None };
        let body = resident.as_ref().map(Blob::share);
        let resident =
            resident.map(|body| Resident { body, metadata: Arc::clone(&media.metadata), body_digest: sidecar.body_digest });
        let handle = replacement.commit(&sidecar, stamp, resident);
        Ok(Replaced { stored: Stored { handle, body }, modified })
    }

    async fn store_again(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Replaced, StoreError> {
        Ok(Replaced { stored: self.store(key, media).await?, modified: true })
    }

    /// Whether an entry has the body that a sidecar describes. `handle` is the handle of the media, if it is stored.
    async fn has_body(&self, digest: &KeyDigest, handle: Option<u64>, sidecar: &Sidecar) -> bool {
        let stored = {
            let state = self.state.borrow();
            let Some(slot) = state.index.find(digest) else { return false };
            if handle == Some(state.index.handle(slot)) {
                return true;
            }
            // An entry that has just been found is resident or its file is open, unless neither is possible.
            let resident = state.memory_tier.get(slot).map(|resident| resident.body_digest);
            resident.or_else(|| state.memory_tier.open_file(slot).map(|open| open.body_digest))
        };
        let stored = match stored {
            Some(digest) => digest,
            None => match self.open_disk() {
                Ok(disk) => stored_digest(&disk, *digest).await,
                Err(_) => None,
            },
        };
        stored.is_some() && stored == sidecar.body_digest
    }

    /// Reserves space for the new files of an entry. `old` is served until they are in place, unless the entry cannot be read. Returns
    /// `None` if the entry was evicted.
    async fn begin_replacement(
        &self,
        disk: &Disk,
        digest: &KeyDigest,
        old: Option<CachedMedia>,
        Needed { new_size, arrived }: Needed,
    ) -> Result<Option<Replacement<'_>>, StoreError> {
        let old_size = {
            let state = self.state.borrow();
            let entry = state.index.find(digest).and_then(|slot| state.index.get(slot));
            entry.map_or(0, Entry::disk_size)
        };
        // The old and the new files both count until the old ones are deleted.
        let both = new_size.saturating_add(old_size);
        if both > self.settings.max_entry_bytes() {
            return Err(StoreError::Oversize(self.settings.max_entry_bytes()));
        }
        while let Some(changed) = self.wait_for_space(both) {
            let _ = changed.await;
        }
        let budget = self.reachable_budget(disk, both, arrived)?;
        let (replacement, excess) = {
            let state = &mut *self.state.borrow_mut();
            let Some(slot) = state.index.find(digest) else { return Ok(None) };
            let Some(entry) = state.index.get_mut(slot).filter(|entry| entry.is_stored()) else { return Ok(None) };
            entry.state = EntryState::Replacing;
            if let Some(CachedMedia { body, metadata, .. }) = old {
                state.replacing.insert(slot, Resident { body, metadata, body_digest: None });
            }
            state.index.reserve(new_size);
            state.writes.begin(both);
            (Replacement { cache: self, slot, new_size, old_size }, state.disk_bytes().saturating_sub(budget))
        };
        if excess > 0 {
            let victims = self.evict_from_disk(excess);
            self.delete_evicted(victims).await;
        }
        if !self.enforce_budget(arrived).await {
            return Err(StoreError::Disk("the files of evicted entries could not be deleted or are still open".into()));
        }
        Ok(Some(replacement))
    }
}

impl Replacement<'_> {
    /// Commits the new files. The entry becomes the most recently used. Returns its handle.
    fn commit(self, sidecar: &Sidecar, stamp: Stamp, resident: Option<Resident>) -> u64 {
        let state = &mut *self.cache.state.borrow_mut();
        // The resident media is released even if the bytes are the same: a host may still serve it with the old metadata.
        state.memory_tier.release(self.slot);
        if let Some(digest) = state.index.get(self.slot).map(|entry| entry.digest) {
            state.describe(self.slot, &Entry::new(digest, sidecar, stamp, EntryState::Stored));
            if state.unreadable == Some(digest) {
                state.read_succeeded();
            }
        }
        state.index.promote(self.slot);
        if let Some(entry) = state.index.get_mut(self.slot) {
            entry.accessed_at = clock::now();
        }
        if let Some(resident) = resident {
            state.counters.stored += 1;
            if resident.body.in_memory() {
                state.memory_tier.place(&state.index, self.slot, resident);
            } else {
                let Resident { body, metadata, body_digest } = resident;
                state.memory_tier.keep_open(self.slot, OpenFile { body, metadata, body_digest });
            }
        }
        state.index.handle(self.slot)
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        let state = &mut *self.cache.state.borrow_mut();
        state.index.release(self.new_size);
        state.writes.end(self.new_size + self.old_size);
        state.replacing.remove(&self.slot);
        if let Some(entry) = state.index.get_mut(self.slot) {
            entry.state = EntryState::Stored;
        }
    }
}

impl State {
    /// Updates the description of an entry, and reports its new size to the policy.
    pub(crate) fn describe(&mut self, slot: Slot, new: &Entry) {
        self.index.describe(slot, new);
        if let Some(entry) = self.index.get(slot).filter(|entry| entry.tracked) {
            self.disk_tier.removed(slot.into());
            self.disk_tier.restore(&[entry.for_policy(slot.into(), entry.disk_size())]);
        }
    }
}

/// The digest of an entry's media, if its sidecar has it.
async fn stored_digest(disk: &Disk, digest: KeyDigest) -> Option<[u8; 32]> {
    let (sidecar, _) = read_sidecar(disk, digest.sidecar_file(), digest).await.ok()??;
    sidecar.body_digest
}

/// Writes the new files, and returns the version of the sidecar. Without a body, the sidecar is put in place immediately.
async fn write_new(disk: &Disk, digest: KeyDigest, body: Option<&Blob>, sidecar: &Blob) -> Result<Stamp, ErrorCode> {
    match body {
        Some(body) => {
            disk.create_anew(digest.new_media_file(), body).await?;
            disk.write(digest.new_sidecar_file(), sidecar).await
        }
        None => disk.write(digest.sidecar_file(), sidecar).await,
    }
}
