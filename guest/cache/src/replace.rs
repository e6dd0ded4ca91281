//! Replaces the files of an entry while the old ones are served.
//!
//! A changed body is written as `.dat.new` and its sidecar as `.json.new`; then both are renamed, the body first. The sidecar has the
//! digest of its body, by which a start completes or undoes what was interrupted: see `recovery`. An unchanged body stays, and only
//! the sidecar is replaced, which takes one rename.

use media_cache_entry_files::{Cacheability, KeyDigest, Sidecar};

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::disk::Disk;
use crate::entry::{Entry, disk_size};
use crate::index::Slot;
use crate::lookup_key::LookupKey;
use crate::state::State;

/// An entry with new files.
pub(crate) struct Replaced {
    /// Its handle.
    pub handle: u64,
    /// Whether its bytes have changed.
    pub modified: bool,
}

/// An entry that is being replaced. Until this is dropped it can be neither evicted nor removed, and its new files take up space.
struct Replacement<'a> {
    cache: &'a Cache,
    slot: Slot,
    new_size: u64,
    old_size: u64,
}

impl Cache {
    /// Replaces an entry with media, or stores it if the entry has been evicted meanwhile. Only the leader of its fill may do this.
    pub(crate) async fn replace(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Replaced, StoreError> {
        if media.metadata.cacheability == Cacheability::NoStore {
            return Err(StoreError::NoStore);
        }
        let disk = self.open_disk()?;
        let sidecar = self.describe_media(key, media).await?;
        let json = sidecar.to_checked_json().map_err(StoreError::Disk)?;
        let Some((old, _)) = self.find(&key.digest).await else { return self.store_again(key, media).await };
        let modified = !self.has_body(&key.digest, media.handle, &sidecar);
        let new_size = disk_size(if modified { sidecar.size } else { 0 }, json.len() as u64);
        let Some(replacement) = self.begin_replacement(&key.digest, old.body, new_size).await? else {
            return self.store_again(key, media).await;
        };
        let json_blob = Blob::from_bytes(&json);
        let body = modified.then_some(&media.body);
        let mut written = write_new(&disk, key.digest, body, &json_blob).await;
        if matches!(written, Err(ErrorCode::InsufficientSpace | ErrorCode::Quota)) {
            // The disk has less space than the budget allows. Others are evicted for what this entry needs.
            let victims = self.evict_from_disk(new_size);
            self.delete_evicted(victims).await;
            written = write_new(&disk, key.digest, body, &json_blob).await;
        }
        if modified && written.is_ok() {
            // Whoever reads the file now expects the old bytes. From now on, the handle to them is served.
            while let Some(read) = self.reads.follow(&key.digest) {
                let _ = read.await;
            }
            written = disk.rename(key.digest.new_media_file(), key.digest.media_file()).await;
        }
        if let Err(error) = written {
            remove_new(&disk, key.digest).await;
            return Err(self.disk_failed("replace the entry", &error));
        }
        if modified && let Err(error) = disk.rename(key.digest.new_sidecar_file(), key.digest.sidecar_file()).await {
            // The new body is in place. The next start completes the rest.
            let _ = self.disk_failed("replace the sidecar", &error);
        } else {
            self.state.borrow_mut().disk_health.succeeded();
        }
        let resident = if modified { self.resident_body(&disk, key.digest, &media.body).await } else { None };
        Ok(Replaced { handle: replacement.commit(sidecar, json.len() as u64, resident), modified })
    }

    async fn store_again(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Replaced, StoreError> {
        Ok(Replaced { handle: self.store(key, media).await?, modified: true })
    }

    /// Whether an entry has the body that a sidecar describes. `handle` is that of the media, if it is stored.
    fn has_body(&self, digest: &KeyDigest, handle: Option<u64>, sidecar: &Sidecar) -> bool {
        let State { index, .. } = &*self.state.borrow();
        let Some((slot, entry)) = index.find(digest).and_then(|slot| Some((slot, index.get(slot)?))) else { return false };
        let is_same = entry.body_digest.is_some() && entry.body_digest == sidecar.body_digest && entry.size == sidecar.size;
        is_same || handle == Some(index.handle(slot))
    }

    /// Reserves space for the new files of an entry. `old` is served until they are in place. `None` if the entry has been evicted.
    async fn begin_replacement(&self, digest: &KeyDigest, old: Blob, new_size: u64) -> Result<Option<Replacement<'_>>, StoreError> {
        let budget = self.settings.max_disk_bytes;
        let old_size = {
            let state = self.state.borrow();
            let entry = state.index.find(digest).and_then(|slot| state.index.get(slot));
            entry.map_or(0, Entry::disk_size)
        };
        // The new bytes count until the old ones are gone.
        let both = new_size.saturating_add(old_size);
        if both > budget {
            return Err(StoreError::Oversize(budget));
        }
        while let Some(changed) = self.wait_for_space(both) {
            let _ = changed.await;
        }
        let (replacement, excess) = {
            let State { index, writes, .. } = &mut *self.state.borrow_mut();
            let Some(slot) = index.find(digest).filter(|slot| index.get(*slot).is_some_and(|entry| entry.committed)) else {
                return Ok(None);
            };
            if let Some(entry) = index.get_mut(slot) {
                entry.replacing = Some(old);
            }
            index.reserve(new_size);
            writes.begin(both);
            (Replacement { cache: self, slot, new_size, old_size }, index.disk_bytes().saturating_sub(budget))
        };
        if excess > 0 {
            let victims = self.evict_from_disk(excess);
            self.delete_evicted(victims).await;
        }
        Ok(Some(replacement))
    }
}

impl Replacement<'_> {
    /// Makes the new files those of the entry, which becomes the most recently used. Returns its handle.
    fn commit(self, sidecar: Sidecar, sidecar_size: u64, resident: Option<Blob>) -> u64 {
        let state = &mut *self.cache.state.borrow_mut();
        let State { index, disk_tier, memory_tier, counters, .. } = state;
        // What is resident is released even if the bytes are the same: a host may serve it with what was known about it before.
        let released = index.get_mut(self.slot).and_then(|entry| entry.resident.take());
        memory_tier.release(self.slot, released);
        index.describe(self.slot, sidecar, sidecar_size);
        index.promote(self.slot);
        // The policy learns the new size.
        disk_tier.removed(self.slot.into());
        if let Some(entry) = index.get_mut(self.slot) {
            entry.accessed_at = clock::now();
            disk_tier.restore(&[entry.for_policy(self.slot.into(), entry.disk_size())]);
        }
        if let Some(blob) = resident {
            counters.stored += 1;
            memory_tier.place(index, self.slot, blob);
        }
        index.handle(self.slot)
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        let State { index, writes, .. } = &mut *self.cache.state.borrow_mut();
        index.release(self.new_size);
        writes.end(self.new_size + self.old_size);
        if let Some(entry) = index.get_mut(self.slot) {
            entry.replacing = None;
        }
    }
}

/// Writes the new files. Without a body, the sidecar takes its place at once.
async fn write_new(disk: &Disk, digest: KeyDigest, body: Option<&Blob>, sidecar: &Blob) -> Result<(), ErrorCode> {
    match body {
        Some(body) => {
            disk.write(digest.new_media_file(), body).await?;
            disk.write(digest.new_sidecar_file(), sidecar).await
        }
        None => disk.write(digest.sidecar_file(), sidecar).await,
    }
}

/// Removes new files that were not put in place. If this fails, the next start removes them.
async fn remove_new(disk: &Disk, digest: KeyDigest) {
    for name in [digest.new_sidecar_file(), digest.new_media_file()] {
        let _ = disk.remove(name).await;
    }
}
