//! Decorates a downloader or transcoder to measure it.

use std::sync::Arc;

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Original, TranscodeError, Transcoded, Transcoder, Validators};

use crate::metrics::registry::Metrics;

/// A [`Downloader`] or [`Transcoder`] that is measured; see [`Metrics::measured`].
pub struct Measured<T: ?Sized> {
    inner: Arc<T>,
    metrics: Metrics,
}

impl Metrics {
    /// Measures a downloader or transcoder.
    #[must_use]
    pub fn measured<T: ?Sized>(&self, inner: Arc<T>) -> Measured<T> {
        Measured { inner, metrics: self.clone() }
    }
}

impl<D: Downloader + ?Sized> Downloader for Measured<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(self.metrics.downloads().measure(url, self.inner.fetch(url), |media| Some(&media.body)))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(self.metrics.downloads().measure(url, self.inner.fetch_if_changed(url, validators), Fetched::body))
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.inner.check(url, media)
    }
}

impl<T: Transcoder + ?Sized> Transcoder for Measured<T> {
    fn accepted_types(&self) -> Vec<String> {
        self.inner.accepted_types()
    }

    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(self.metrics.transcodes().measure(&*self.inner, original))
    }
}
