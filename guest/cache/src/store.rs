//! Stores an entry: first space is reserved, then the media is written under its final name, and then the sidecar, which commits the entry.

use std::rc::Rc;
use std::sync::Arc;

use media_cache_entry_files::{Cacheability, KeyDigest, Sidecar, disk_size};

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::storage::Stamp;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::disk_health::Operation;
use crate::entry::{Entry, EntryState, Evicted};
use crate::leftovers::delete_new_files;
use crate::lookup_key::LookupKey;
use crate::memory_tier::Resident;
use crate::mutants::Mutant;
use crate::open_files::OpenFile;
use crate::settings::Durability;
use crate::single_flight::Role;

/// How long fetched media waits for the directory to be loaded, in nanoseconds. After that, it is served but not stored.
const MAX_WAIT: u64 = 20_000_000;

/// Media that is stored.
pub(crate) struct Stored {
    /// The handle of its entry.
    pub handle: u64,
    /// Its bytes in their stored location. `None` if they cannot be read there.
    pub body: Option<Blob>,
}

impl Stored {
    /// Records in the media that it is stored. From now on, it is read from its stored location: the file in which it arrived may be a
    /// different one, which would otherwise take up space until it has been sent.
    pub fn note_in(self, media: &mut CachedMedia) {
        media.handle = Some(self.handle);
        if let Some(body) = self.body.filter(|_| !media.body.in_memory()) {
            media.body = body;
        }
    }
}

impl Cache {
    /// Stores media. Space is freed before anything is written, so that the budget is never exceeded.
    pub(crate) async fn store(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Stored, StoreError> {
        if media.metadata.cacheability == Cacheability::NoStore {
            return Err(StoreError::NoStore);
        }
        let disk = self.open_disk()?;
        if !self.wait_until_loaded(MAX_WAIT).await {
            return Err(StoreError::NotReady);
        }
        let _permit = self.permits.acquire().ok_or(StoreError::NotReady)?;
        let digest = key.digest;
        let sidecar = self.describe_media(key, media).await?;
        let json = sidecar.to_checked_json().map_err(StoreError::Disk)?;
        let stamp = Stamp { size: json.len() as u64, modified: 0 };
        let disk_size = disk_size(sidecar.size, stamp.size);
        let budget = self.settings.max_entry_bytes();
        if disk_size > budget {
            return Err(StoreError::Oversize(budget));
        }
        // Entries that are being written cannot be evicted. If they leave too little space, some have to complete first. Pending deletions
        // of files with the same name also have to end first.
        while let Some(changed) = self.wait_for_space(disk_size).or_else(|| self.pending_deletes.follow(&digest)) {
            let _ = changed.await;
        }
        let arrived = media.body.arrived_bytes();
        let budget = self.reachable_budget(&disk, disk_size, arrived)?;
        let (waiters, accessed_at) = (self.waiters(key), clock::now());
        let entry = Entry { waiters, accessed_at, ..Entry::new(digest, &sidecar, stamp, EntryState::Reserved) };
        let (reservation, victims) = self.reserve(entry, budget);
        self.delete_evicted(victims).await;
        let reservation = reservation?;
        if !self.enforce_budget(arrived).await {
            return Err(StoreError::Disk("the files of evicted entries could not be deleted or are still open".into()));
        }
        let json = Blob::from_bytes(&json);
        let mut written = self.write(&disk, digest, &media.body, &json).await;
        if matches!(written, Err(ErrorCode::InsufficientSpace | ErrorCode::Quota)) && self.free_space(&disk, disk_size).await {
            written = self.write(&disk, digest, &media.body, &json).await;
        }
        let (stamp, body) = match written {
            Ok(written) => written,
            Err(error) => {
                // There is no sidecar, and `write` has removed anything that was written.
                drop(reservation);
                self.state.borrow_mut().unfinished = true;
                self.report_leftovers(&disk);
                return Err(self.disk_failed("store the entry", &error));
            }
        };
        let stored = body.as_ref().map(Blob::share);
        let (metadata, body_digest) = (&media.metadata, sidecar.body_digest);
        let resident = Resident { body: media.body.share(), metadata: Arc::clone(metadata), body_digest };
        let file = body.map(|body| OpenFile { body, metadata: Arc::clone(metadata), body_digest });
        self.state.borrow_mut().disk_health.succeeded(Operation::Store);
        Ok(Stored { handle: reservation.commit(stamp, resident, file), body: stored })
    }

    /// The open directory.
    pub(crate) fn open_disk(&self) -> Result<Rc<Disk>, StoreError> {
        self.disk.borrow().clone().ok_or_else(|| StoreError::Disk("the directory is not open".into()))
    }

    pub(crate) async fn describe_media(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Sidecar, StoreError> {
        // The body is not on the cache's disk yet, so a failure to read it says nothing about the health of that disk.
        let body_digest = media.body.digest().await;
        let body_digest = body_digest.map_err(|error| StoreError::Disk(format!("cannot read the body: {}", describe(&error))))?;
        Ok(Sidecar {
            url: key.cache_key.as_ref().into(),
            size: media.body.size(),
            body_digest: body_digest.try_into().ok(),
            metadata: Arc::clone(&media.metadata),
        })
    }

    /// The number of requests that wait for the entry, not counting the leader of the fill.
    pub(crate) fn waiters(&self, key: &LookupKey<'_>) -> u32 {
        let waiting = self.downloads.waiting(&key.request_digest()) + self.fills.waiting(&key.digest);
        u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(self.arriving.followers(&key.digest))
    }

    /// The bytes of an entry whose files were replaced: in memory, or otherwise the file that was just written.
    pub(crate) async fn replaced_body(
        &self,
        disk: &Disk,
        digest: KeyDigest,
        body: &Blob,
        expected: Option<[u8; 32]>,
    ) -> Option<Blob> {
        if body.in_memory() && self.state.borrow().memory_tier.fits(body.size()) {
            return Some(body.share());
        }
        let file = disk.read(digest.media_file()).await.ok()?;
        // A host that serves the file needs its digest to detect a change by another program.
        let written = file.digest().await.ok()?;
        (expected.is_some_and(|expected| written == expected)).then_some(file)
    }

    pub(crate) fn disk_failed(&self, action: &str, error: &ErrorCode) -> StoreError {
        let reason = format!("cannot {action}: {}", describe(error));
        // A body in a file that was changed meanwhile says nothing about the health of the cache's disk.
        if !matches!(error, ErrorCode::TextFileBusy) {
            self.state.borrow_mut().disk_health.failed(Operation::Store, reason.clone(), clock::now());
        }
        StoreError::Disk(reason)
    }

    /// Writes both files. Returns the version of the sidecar, and the media file if it is kept open. After an error, it deletes both files.
    async fn write(
        &self,
        disk: &Disk,
        digest: KeyDigest,
        media: &Blob,
        sidecar: &Blob,
    ) -> Result<(Stamp, Option<Blob>), ErrorCode> {
        delete_new_files(disk, digest).await?;
        let file = match disk.create_open(digest.media_file(), media).await {
            Err(ErrorCode::Exist) => {
                // Existing files with these names are not in the index: another program created them, or they could not be read or deleted.
                disk.remove(digest.sidecar_file()).await?;
                disk.remove(digest.media_file()).await?;
                disk.create_open(digest.media_file(), media).await?
            }
            created => created?,
        };
        if let Some(disk) = self.disk.borrow().clone().filter(|_| Mutant::AcknowledgesEarly.is_on()) {
            let sidecar = sidecar.share();
            let stamp = Stamp { size: sidecar.size(), modified: 0 };
            wit_bindgen::spawn_local(async move {
                clock::wait(Mutant::DELAY).await;
                let _ = disk.write(digest.sidecar_file(), &sidecar).await;
            });
            return Ok((stamp, file));
        }
        let committed = match disk.write(digest.sidecar_file(), sidecar).await {
            Ok(stamp) => self.make_durable(disk).await.map(|()| stamp),
            Err(error) => Err(error),
        };
        if committed.is_err() {
            match disk.remove(digest.sidecar_file()).await {
                // A directory with the name of the sidecar does not belong to the cache.
                Ok(_) | Err(ErrorCode::IsDirectory) => drop(disk.clean_up(digest.media_file()).await),
                Err(_) => {
                    let disk_size = disk_size(media.size(), sidecar.size());
                    self.delete_evicted([Evicted { digest, disk_size }]).await;
                }
            }
        } else {
            self.state.borrow_mut().remains.forget(&digest);
        }
        committed.map(|stamp| (stamp, file))
    }

    /// Waits until the written files are durable, if the options require that. Entries that are stored at the same time share one sync.
    pub(crate) async fn make_durable(&self, disk: &Disk) -> Result<(), ErrorCode> {
        if self.settings.durability != Durability::Batch {
            return Ok(());
        }
        let mut began_before = false;
        loop {
            match self.syncs.join(&()) {
                Role::Leader(leader) => {
                    let synced = disk.sync().await;
                    leader.finish(|| synced.clone());
                    return synced;
                }
                Role::Follower(synced) => match synced.await {
                    // A sync that began earlier does not necessarily include the files written since.
                    Ok(_) if !began_before => began_before = true,
                    Ok(synced) => return synced,
                    Err(_) => {}
                },
            }
        }
    }
}
