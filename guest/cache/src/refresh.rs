//! Fetches an entry again, and replaces it if its media has changed. The stored media is served in the meantime, and is kept if the refresh
//! fails.

use std::rc::Rc;

use media_cache_entry_files::{Cacheability, Metadata};

use crate::bindings::exports::media_cache::cache::cache::{RefreshOutcome, Source, StoreError};
use crate::bindings::media_cache::cache::downloader::{CacheControl, Fetched, FetchedMedia};
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;
use crate::cached_media::{CachedMedia, Refreshed};
use crate::clock;
use crate::get_or_download::RememberedFailure;
use crate::lookup_key::LookupKey;
use crate::origin_metadata::OriginMetadata;
use crate::replace::Replaced;
use crate::single_flight::Role;

impl Cache {
    /// Implements `refresh`, which the WIT documents.
    pub async fn refresh(self: &Rc<Self>, url: &str, context: Option<u64>) -> Result<RefreshOutcome, FetchError> {
        let key = self.parse_key(url).map_err(FetchError::InvalidUrl)?;
        // If the directory cannot be opened, the cache counts as empty, but media can still be fetched.
        let _ = self.ensure_open().await;
        let result = loop {
            match self.refreshes.join(&key.request_digest()) {
                Role::Leader(leader) => {
                    let result = self.refetch(&key, context).await;
                    self.count_refresh(&result);
                    leader.finish(|| result.as_ref().map(Refreshed::share).map_err(Clone::clone));
                    break result;
                }
                Role::Follower(result) => {
                    if let Ok(result) = result.await {
                        break result;
                    }
                }
            }
        };
        let Refreshed { media, modified } = result?;
        let not_stored = media.not_stored.clone();
        let source = if modified { Source::Origin } else { Source::Disk };
        Ok(RefreshOutcome { media: media.into_media(source, &self.state.borrow()), modified, not_stored })
    }

    async fn refetch(self: &Rc<Self>, key: &LookupKey<'_>, context: Option<u64>) -> Result<Refreshed, FetchError> {
        let mut waited = false;
        loop {
            let stored = self.find(&key.digest).await.map(|(stored, _)| stored);
            if stored.is_none() && !std::mem::replace(&mut waited, true) {
                self.wait_for_fill(key).await;
                continue;
            }
            if self.is_on_standby() {
                // The host repeats the refresh on the successor.
                return Ok(Refreshed::not_ready(stored, clock::now()));
            }
            let Some(stored) = stored else { return self.fetch_missing(key, context).await };
            // Release the stored bytes: a host serves them for as long as they are held, and the entry may be removed in the meantime.
            let (validators, handle) = (stored.metadata.validators(), stored.handle);
            drop(stored);
            let (fetched, cost) = self.fetch_again(key, validators, context).await?;
            match fetched {
                Fetched::Media(media) => return Ok(self.admit_again(key, media, cost).await),
                Fetched::NotModified(cache_control) => {
                    // If the entry was removed in the meantime, the next iteration fetches it as a missing one.
                    if let Some(confirmed) = self.confirm(key, handle, cache_control).await {
                        return Ok(confirmed);
                    }
                }
            }
        }
    }

    /// Waits for a fetch or put in progress. It began before the refresh, so the media that it stores may be outdated.
    async fn wait_for_fill(&self, key: &LookupKey<'_>) {
        if let Some(end) = self.downloads.watch(&key.request_digest()) {
            let _ = end.await;
        }
        // The body of that download may still be arriving.
        if let Some(end) = self.fills.watch(&key.digest) {
            let _ = end.await;
        }
    }

    /// Fetches missing media as for a request, but ignores remembered failures.
    async fn fetch_missing(self: &Rc<Self>, key: &LookupKey<'_>, context: Option<u64>) -> Result<Refreshed, FetchError> {
        let result = loop {
            match self.downloads.join(&key.request_digest()) {
                Role::Leader(leader) => {
                    // A refresh is not a miss, so it does not count as a coalesced one.
                    let result = self.fill(key, context, RememberedFailure::Ignored, || {}).await;
                    leader.finish(|| result.as_ref().map(CachedMedia::share).map_err(Clone::clone));
                    break result;
                }
                Role::Follower(result) => {
                    if let Ok(result) = result.await {
                        break result;
                    }
                }
            }
        };
        let media = self.wait_until_settled(key, result?).await?;
        Ok(Refreshed { media, modified: true })
    }

    /// Replaces the entry. If it was evicted in the meantime, requests may be waiting for it, so the media is passed to them.
    async fn admit_again(&self, key: &LookupKey<'_>, fetched: FetchedMedia, cost: u32) -> Refreshed {
        let mut media = CachedMedia::fetched(self.transcode(fetched).await, cost, clock::now());
        let fill = self.lead_fill(&key.digest).await;
        let replaced = self.replace(key, &media).await;
        let modified = replaced.as_ref().map_or(true, |replaced| replaced.modified);
        self.record_replaced(&mut media, replaced);
        fill.finish(|| media.share());
        Refreshed { media, modified }
    }

    /// Records what the origin, when confirming the media, said about storing it. Returns `None` if the entry no longer exists.
    async fn confirm(&self, key: &LookupKey<'_>, handle: Option<u64>, cache_control: CacheControl) -> Option<Refreshed> {
        let fill = self.lead_fill(&key.digest).await;
        let (stored, _) = self.find(&key.digest).await.filter(|(stored, _)| handle.is_some() && stored.handle == handle)?;
        let metadata = Metadata {
            cacheability: stricter(stored.metadata.cacheability, cache_control.cacheability.into()),
            // If the origin states no new lifetime, the old one is kept.
            max_age: cache_control.max_age.or(stored.metadata.max_age),
            age: cache_control.age,
            stored_at: clock::now(),
            ..Metadata::clone(&stored.metadata)
        };
        let mut media = CachedMedia { metadata: metadata.into(), ..stored };
        let replaced = self.replace(key, &media).await;
        self.record_replaced(&mut media, replaced);
        fill.finish(|| media.share());
        Some(Refreshed { media, modified: false })
    }

    /// Records in the media whether it is stored. If it is not, the previously stored media remains.
    fn record_replaced(&self, media: &mut CachedMedia, replaced: Result<Replaced, StoreError>) {
        match replaced {
            Ok(replaced) => replaced.stored.note_in(media),
            Err(error) => {
                self.count_not_stored(&error);
                (media.handle, media.not_stored) = (None, Some(error));
            }
        }
    }

    fn count_refresh(&self, result: &Result<Refreshed, FetchError>) {
        let is_refused = matches!(result, Ok(Refreshed { media: CachedMedia { not_stored: Some(StoreError::NotReady), .. }, .. }));
        if self.is_on_standby() && is_refused {
            // The host repeats the refresh on the successor, which counts it.
            return;
        }
        let counters = &mut self.state.borrow_mut().counters;
        match result {
            Ok(Refreshed { media: CachedMedia { not_stored: None, .. }, modified: true }) => counters.refreshes_modified += 1,
            Ok(Refreshed { media: CachedMedia { not_stored: None, .. }, modified: false }) => counters.refreshes_unmodified += 1,
            Ok(_) | Err(_) => counters.refresh_failures += 1,
        }
    }
}

/// Which caches may store media that its origin confirmed. A confirmation does not deliver new media, so it can only tighten the
/// restriction. Media that must no longer be stored is kept for the clients of this cache.
fn stricter(stored: Cacheability, confirmed: Cacheability) -> Cacheability {
    match (stored, confirmed) {
        (Cacheability::Public, Cacheability::Public) => Cacheability::Public,
        _ => Cacheability::Private,
    }
}
