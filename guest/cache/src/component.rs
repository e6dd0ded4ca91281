//! Exports the cache. This file only adapts signatures.

use std::rc::Rc;

use crate::bindings::exports::media_cache::cache::cache::{
    EarlierHits, EntryFilter, Guest, GuestMediaCache, Health, Hit, LoadReport, Media, Options, Page, PutOutcome, RefreshOutcome,
    Removal, Stats, StoreError, Verified,
};
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;

struct Component;

/// The exported resource. Tasks that continue after a call has returned share the cache.
struct SharedCache(Rc<Cache>);

impl Guest for Component {
    type MediaCache = SharedCache;
}

impl GuestMediaCache for SharedCache {
    fn new(options: Options) -> Self {
        Self(Rc::new(Cache::with(options.into())))
    }

    async fn ensure_loaded(&self) -> Result<LoadReport, StoreError> {
        self.0.ensure_loaded().await
    }

    async fn get(&self, url: String) -> Option<Media> {
        self.0.get(&url).await
    }

    async fn put(&self, url: String, media: FetchedMedia) -> Result<PutOutcome, StoreError> {
        self.0.put(&url, media).await
    }

    async fn admit(&self, url: String, media: FetchedMedia, cost: u32, stored_at: Option<u64>) -> Result<PutOutcome, StoreError> {
        self.0.admit_from_predecessor(&url, media, cost, stored_at).await
    }

    async fn get_or_download(&self, url: String, context: Option<u64>) -> Result<Media, FetchError> {
        self.0.get_or_download(&url, context).await
    }

    async fn settled(&self, url: String) -> Option<StoreError> {
        self.0.settled(&url).await
    }

    async fn remove(&self, url: String) -> Result<bool, StoreError> {
        self.0.remove(&url).await
    }

    async fn remove_matching(&self, filter: EntryFilter) -> Result<Removal, StoreError> {
        self.0.remove_matching(filter).await
    }

    async fn refresh(&self, url: String, context: Option<u64>) -> Result<RefreshOutcome, FetchError> {
        self.0.refresh(&url, context).await
    }

    async fn verify(&self, url: String) -> Verified {
        self.0.verify(&url).await
    }

    fn record_hits(&self, hits: Vec<Hit>) {
        self.0.record_hits(&hits);
    }

    async fn promote(&self, entry: u64) -> Option<Media> {
        self.0.promote(entry).await
    }

    async fn entries(&self, after: Option<u64>, limit: u32) -> Page {
        self.0.entries(after, limit).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.0.checkpoint().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    async fn standby(&self) -> Result<LoadReport, StoreError> {
        self.0.standby().await
    }

    async fn activate(&self, predecessor: Option<Stats>) -> Result<(), StoreError> {
        self.0.activate(predecessor).await
    }

    fn release(&self) {
        self.0.release();
    }

    fn continue_counters(&self, counters: Stats) {
        self.0.continue_counters(&counters);
    }

    fn add_counters(&self, counters: Stats) {
        self.0.add_counters(&counters);
    }

    fn record_earlier_hits(&self, hits: Vec<EarlierHits>) {
        self.0.record_earlier_hits(&hits);
    }
}

crate::bindings::export!(Component with_types_in crate::bindings);
