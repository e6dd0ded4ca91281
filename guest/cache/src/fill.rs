//! Fills an entry with media from the origin or from a caller. One fill per entry is in progress at a time.

use std::hash::BuildHasherDefault;

use media_cache_entry_files::{DigestHasher, KeyDigest};

use crate::bindings::exports::media_cache::cache::cache::{Source, StoreError};
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::lookup_key::LookupKey;
use crate::single_flight::{Leader, Role};
use crate::store::Stored;

/// The leader role for filling an entry.
pub(crate) type FillLeader = Leader<KeyDigest, CachedMedia, BuildHasherDefault<DigestHasher>>;

impl Cache {
    /// Returns the leader role for filling the entry or, as the error, the stored media.
    pub(crate) async fn find_or_lead(&self, digest: &KeyDigest) -> Result<FillLeader, (CachedMedia, Source)> {
        loop {
            if let Some(found) = self.find(digest).await {
                return Err(found);
            }
            match self.fills.lead(digest) {
                Ok(fill) => return Ok(fill),
                // Check again, whatever the outcome.
                Err(end) => drop(end.await),
            }
        }
    }

    /// Returns the leader role for filling an entry. As the error, returns the stored media, or the media that another fill has fetched. If
    /// `may_be_arriving` is set, the body may still be arriving.
    pub(crate) async fn lead_or_follow(&self, digest: &KeyDigest, may_be_arriving: bool) -> Result<FillLeader, CachedMedia> {
        loop {
            if let Some((stored, _)) = self.find(digest).await {
                return Err(stored);
            }
            if may_be_arriving && let Some(arriving) = self.arriving.follow(digest) {
                return Err(arriving);
            }
            match self.fills.join(digest) {
                Role::Leader(fill) => return Ok(fill),
                Role::Follower(result) => {
                    if let Ok(filled) = result.await {
                        return Err(filled);
                    }
                }
            }
        }
    }

    /// Returns the leader role for filling an entry, whether or not it is stored.
    pub(crate) async fn lead_fill(&self, digest: &KeyDigest) -> FillLeader {
        loop {
            match self.fills.lead(digest) {
                Ok(fill) => return fill,
                Err(end) => drop(end.await),
            }
        }
    }

    /// Converts media if the transcoder accepts it, stores it, and passes it to the requests that wait for the entry. `cost` is the
    /// time in milliseconds that the fetch took, 0 if there was none.
    pub(crate) async fn admit(&self, key: &LookupKey<'_>, fill: FillLeader, fetched: FetchedMedia, cost: u32) -> CachedMedia {
        let converted = self.transcode(fetched).await;
        self.admit_as_it_is(key, fill, CachedMedia::fetched(converted, cost, clock::now())).await
    }

    /// Like [`admit`](Self::admit), but does not convert the media.
    pub(crate) async fn admit_as_it_is(&self, key: &LookupKey<'_>, fill: FillLeader, mut media: CachedMedia) -> CachedMedia {
        self.store_filled(key, &mut media).await;
        fill.finish(|| media.share());
        media
    }

    /// Stores media, and records in it whether it is stored.
    pub(crate) async fn store_filled(&self, key: &LookupKey<'_>, media: &mut CachedMedia) {
        match self.store_or_replace(key, media).await {
            Ok(stored) => stored.note_in(media),
            Err(error) => {
                self.count_not_stored(&error);
                media.not_stored = Some(error);
            }
        }
    }

    /// Stores media. If the entry is already stored but could not be read, this replaces it.
    async fn store_or_replace(&self, key: &LookupKey<'_>, media: &CachedMedia) -> Result<Stored, StoreError> {
        let is_stored = self.state.borrow().is_stored(&key.digest);
        if is_stored { self.replace(key, media).await.map(|replaced| replaced.stored) } else { self.store(key, media).await }
    }

    pub(crate) fn count_not_stored(&self, error: &StoreError) {
        if self.is_on_standby() && matches!(error, StoreError::NotReady) {
            // The host passes the media to the successor, which counts it.
            return;
        }
        let counters = &mut self.state.borrow_mut().counters;
        match error {
            StoreError::Refused => counters.refused += 1,
            StoreError::Oversize(_) => counters.oversize += 1,
            StoreError::NoStore => counters.no_store += 1,
            StoreError::NotReady => counters.not_ready += 1,
            StoreError::Disk(_) | StoreError::NoSpace(_) | StoreError::InvalidUrl(_) => counters.store_failures += 1,
        }
    }
}
