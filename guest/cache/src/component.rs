//! Exports the cache. This file only adapts signatures.

use crate::bindings::exports::media_cache::cache::cache::{
    EarlierHits, EntryFilter, Guest, GuestMediaCache, Health, Hit, LoadReport, Media, Options, Page, PutOutcome, RefreshOutcome,
    Removal, Stats, StoreError, Verified,
};
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;

struct Component;

impl Guest for Component {
    type MediaCache = Cache;
}

impl GuestMediaCache for Cache {
    fn new(options: Options) -> Self {
        Self::with(options.into())
    }

    async fn ensure_loaded(&self) -> Result<LoadReport, StoreError> {
        self.ensure_loaded().await
    }

    async fn get(&self, url: String) -> Option<Media> {
        self.get(&url).await
    }

    async fn put(&self, url: String, media: FetchedMedia) -> Result<PutOutcome, StoreError> {
        self.put(&url, media).await
    }

    async fn admit(&self, url: String, media: FetchedMedia, cost: u32) -> Result<PutOutcome, StoreError> {
        self.admit_from_predecessor(&url, media, cost).await
    }

    async fn get_or_download(&self, url: String, context: Option<u64>) -> Result<Media, FetchError> {
        self.get_or_download(&url, context).await
    }

    async fn remove(&self, url: String) -> Result<bool, StoreError> {
        self.remove(&url).await
    }

    async fn remove_matching(&self, filter: EntryFilter) -> Result<Removal, StoreError> {
        self.remove_matching(filter).await
    }

    async fn refresh(&self, url: String, context: Option<u64>) -> Result<RefreshOutcome, FetchError> {
        self.refresh(&url, context).await
    }

    async fn verify(&self, url: String) -> Verified {
        self.verify(&url).await
    }

    fn record_hits(&self, hits: Vec<Hit>) {
        self.record_hits(&hits);
    }

    async fn promote(&self, entry: u64) -> Option<Media> {
        self.promote(entry).await
    }

    async fn entries(&self, after: Option<u64>, limit: u32) -> Page {
        self.entries(after, limit).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.checkpoint().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.close().await
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn health(&self) -> Health {
        self.health()
    }

    async fn standby(&self) -> Result<LoadReport, StoreError> {
        self.standby().await
    }

    async fn activate(&self, predecessor: Option<Stats>) -> Result<(), StoreError> {
        self.activate(predecessor).await
    }

    fn release(&self) {
        self.release();
    }

    fn continue_counters(&self, counters: Stats) {
        self.continue_counters(&counters);
    }

    fn add_counters(&self, counters: Stats) {
        self.add_counters(&counters);
    }

    fn record_earlier_hits(&self, hits: Vec<EarlierHits>) {
        self.record_earlier_hits(&hits);
    }
}

crate::bindings::export!(Component with_types_in crate::bindings);
