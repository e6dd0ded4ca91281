//! A download that continues when the owner of the directory ends, so that the next owner gets its result and nothing is fetched twice.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Validators};

type Download = Shared<BoxFuture<'static, Result<FetchedMedia, FetchError>>>;

/// A caller's downloader, which downloads at most once.
#[derive(Clone)]
pub(crate) struct RetainedDownload {
    downloader: Arc<dyn Downloader>,
    download: Arc<Mutex<Option<Download>>>,
}

impl RetainedDownload {
    pub fn new(downloader: impl Downloader) -> Self {
        Self { downloader: Arc::new(downloader), download: Arc::default() }
    }
}

impl Downloader for RetainedDownload {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        let mut download = self.download.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let (downloader, url) = (self.downloader.clone(), url.to_owned());
            async move { downloader.fetch(&url).await }.boxed().shared()
        };
        download.get_or_insert_with(start).clone().boxed()
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        if validators.is_empty() {
            return async move { self.fetch(url).await.map(Fetched::Media) }.boxed();
        }
        self.downloader.fetch_if_changed(url, validators)
    }
}
