//! The glue between the WIT and the cache. There is no logic in it.

use crate::bindings::exports::media_cache::cache::cache::{
    Guest, GuestMediaCache, LoadReport, Media, Options, Page, PutOutcome, Stats, StoreError,
};
use crate::bindings::media_cache::cache::{blobs::Blob, downloader::FetchError};
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

    async fn put(&self, url: String, body: Blob, mimetype: String, filename: String) -> Result<PutOutcome, StoreError> {
        self.put(url, body, mimetype, filename).await
    }

    async fn get_or_download(&self, url: String) -> Result<Media, FetchError> {
        self.get_or_download(url).await
    }

    async fn remove(&self, url: String) -> bool {
        self.remove(&url).await
    }

    fn record_hits(&self, tickets: Vec<u64>) {
        self.record_hits(&tickets);
    }

    async fn entries(&self, after: Option<u64>, limit: u32) -> Page {
        self.entries(after, limit).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.checkpoint().await
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}

crate::bindings::export!(Component with_types_in crate::bindings);
