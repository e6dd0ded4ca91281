//! A line for each download.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;

use super::LogUrls;
use crate::download::{Download, Downloader, FetchError};

/// A [`Downloader`] whose downloads are logged, and which otherwise does as the one within.
///
/// A download belongs to no single request: however many wait for it, there is one, and it goes on when whoever asked first has gone
/// away. Its line has the fingerprint of its URL, as the lines of these requests have.
pub(crate) struct Logged<D: ?Sized> {
    inner: Arc<D>,
    urls: LogUrls,
}

impl<D: ?Sized> Logged<D> {
    pub fn new(inner: Arc<D>, urls: LogUrls) -> Self {
        Self { inner, urls }
    }
}

impl<D: Downloader + ?Sized> Downloader for Logged<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        Box::pin(async move {
            let begun = Instant::now();
            let fetched = self.inner.fetch(url).await;
            let seconds = begun.elapsed().as_secs_f64();
            let told = self.urls.describe(url);
            let (key, host, url) = (told.fingerprint.as_str(), told.host.as_deref(), told.text.as_deref());
            match &fetched {
                Ok(Download { body, mimetype, .. }) => {
                    tracing::debug!(key, host, url, mimetype = mimetype.as_str(), bytes = body.len(), seconds, "downloaded");
                }
                Err(error) => {
                    let reason = error.to_string();
                    tracing::info!(key, host, url, outcome = error.name(), reason = reason.as_str(), seconds, "download failed");
                }
            }
            fetched
        })
    }
}
