//! A downloader whose downloads can be abandoned, so that the next owner of the directory repeats them.

use std::sync::Arc;

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Validators};
use tokio::sync::watch;

use crate::caller_downloader::lost;

/// Gives its downloads up as soon as the value changes.
pub(crate) struct Interruptible<D: ?Sized> {
    interruptions: watch::Sender<u64>,
    /// The value when this was created.
    begun: u64,
    downloader: Arc<D>,
}

impl<D: ?Sized> Clone for Interruptible<D> {
    fn clone(&self) -> Self {
        Self { interruptions: self.interruptions.clone(), begun: self.begun, downloader: self.downloader.clone() }
    }
}

impl<D: Downloader + ?Sized> Interruptible<D> {
    pub fn new(downloader: Arc<D>, interruptions: watch::Sender<u64>) -> Self {
        let begun = *interruptions.borrow();
        Self { interruptions, begun, downloader }
    }

    async fn until_interrupted<T>(&self, download: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        let mut interruptions = self.interruptions.subscribe();
        tokio::select! {
            downloaded = download => downloaded,
            _ = interruptions.wait_for(|value| *value != self.begun) => Err(lost()),
        }
    }
}

/// Waits for the body, which may still be arriving, since the rest of a download could not be interrupted.
async fn completed(media: FetchedMedia) -> Result<FetchedMedia, FetchError> {
    media.body.finished().await?;
    Ok(media)
}

impl<D: Downloader + ?Sized> Downloader for Interruptible<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        let download = async move { completed(self.downloader.fetch(url).await?).await };
        Box::pin(self.until_interrupted(download))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        let download = async move {
            match self.downloader.fetch_if_changed(url, validators).await? {
                Fetched::Media(media) => completed(media).await.map(Fetched::Media),
                unchanged => Ok(unchanged),
            }
        };
        Box::pin(self.until_interrupted(download))
    }
}
