//! Stores an entry: space is reserved first, then the media is written, then the sidecar, which commits it.

use std::rc::Rc;

use media_cache_entry_files::{Cacheability, KeyDigest, Sidecar};

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::entry::{Entry, disk_size};
use crate::lookup_key::LookupKey;

impl Cache {
    /// Stores media and returns its handle. Space is freed before anything is written, so that the budget holds at all times.
    pub(crate) async fn store(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<u64, StoreError> {
        if media.metadata.cacheability == Cacheability::NoStore {
            return Err(StoreError::NoStore);
        }
        let disk = self.open_disk()?;
        let (digest, budget) = (key.digest, self.settings.max_disk_bytes);
        let sidecar = self.describe_media(key, media).await?;
        let json = sidecar.to_checked_json().map_err(StoreError::Disk)?;
        let sidecar_size = json.len() as u64;
        let disk_size = disk_size(sidecar.size, sidecar_size);
        if disk_size > budget {
            return Err(StoreError::Oversize(budget));
        }
        // Entries that are being written cannot be evicted: if they leave too little space, some have to complete first. Files of the
        // same name that are being deleted have to be gone.
        while let Some(changed) = self.wait_for_space(disk_size).or_else(|| self.pending_deletes.follow(&digest)) {
            let _ = changed.await;
        }
        let entry = Entry { waiters: self.waiters(key), committed: false, ..Entry::from_sidecar(digest, sidecar, sidecar_size) };
        let (reservation, victims) = self.reserve(entry);
        self.delete_evicted(victims).await;
        let reservation = reservation?;
        let json = Blob::from_bytes(&json);
        let mut written = write(&disk, digest, &media.body, &json).await;
        if matches!(written, Err(ErrorCode::InsufficientSpace | ErrorCode::Quota)) {
            // The disk has less space than the budget allows. Others are evicted for what this entry needs.
            let victims = self.evict_from_disk(disk_size);
            self.delete_evicted(victims).await;
            written = write(&disk, digest, &media.body, &json).await;
        }
        if let Err(error) = written {
            drop(reservation);
            self.delete_evicted([digest]).await;
            return Err(self.disk_failed("store the entry", &error));
        }
        let resident = self.resident_body(&disk, digest, &media.body).await;
        self.state.borrow_mut().disk_health.succeeded();
        Ok(reservation.commit(resident))
    }

    /// The open directory.
    pub(crate) fn open_disk(&self) -> Result<Rc<Disk>, StoreError> {
        self.disk.borrow().clone().ok_or_else(|| StoreError::Disk("the directory is not open".into()))
    }

    pub(crate) async fn describe_media(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Sidecar, StoreError> {
        // The body is not on our disk yet, whose health a body that cannot be read says nothing about.
        let body_digest = media.body.digest().await;
        let body_digest = body_digest.map_err(|error| StoreError::Disk(format!("cannot read the body: {}", describe(&error))))?;
        Ok(Sidecar {
            url: key.cache_key.as_ref().into(),
            size: media.body.size(),
            body_digest: body_digest.try_into().ok(),
            metadata: Rc::clone(&media.metadata),
        })
    }

    /// The requests that wait for the entry, besides the one that leads the fill.
    fn waiters(&self, key: &LookupKey<'_>) -> u32 {
        let waiting = self.downloads.waiting(&key.request_digest()) + self.fills.waiting(&key.digest);
        u32::try_from(waiting).unwrap_or(u32::MAX)
    }

    /// The bytes for the memory tier: in memory, or else the file that was just written.
    pub(crate) async fn resident_body(&self, disk: &Disk, digest: KeyDigest, body: &Blob) -> Option<Blob> {
        if body.in_memory() && self.state.borrow().memory_tier.fits_in_memory(body.size()) {
            return Some(body.share());
        }
        disk.read(digest.media_file()).await.ok()
    }

    pub(crate) fn disk_failed(&self, action: &str, error: &ErrorCode) -> StoreError {
        let reason = format!("cannot {action}: {}", describe(error));
        self.state.borrow_mut().disk_health.failed(reason.clone(), clock::now());
        StoreError::Disk(reason)
    }
}

async fn write(disk: &Disk, digest: KeyDigest, media: &Blob, sidecar: &Blob) -> Result<(), ErrorCode> {
    disk.write(digest.media_file(), media).await?;
    disk.write(digest.sidecar_file(), sidecar).await
}
