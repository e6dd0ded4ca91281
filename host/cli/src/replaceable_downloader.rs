//! A downloader whose options can change while the service runs.

use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Validators};

/// A downloader that can be replaced. A download in progress continues with the downloader that started it. Clones share the downloader.
#[derive(Clone)]
pub struct ReplaceableDownloader(Arc<RwLock<Arc<dyn Downloader>>>);

impl ReplaceableDownloader {
    /// Starts with this downloader.
    pub fn new(downloader: Arc<dyn Downloader>) -> Self {
        Self(Arc::new(RwLock::new(downloader)))
    }

    /// Uses this downloader from now on.
    pub fn replace(&self, downloader: Arc<dyn Downloader>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = downloader;
    }

    fn current(&self) -> Arc<dyn Downloader> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Downloader for ReplaceableDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        let downloader = self.current();
        Box::pin(async move { downloader.fetch(url).await })
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        let downloader = self.current();
        Box::pin(async move { downloader.fetch_if_changed(url, validators).await })
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.current().check(url, media)
    }
}
