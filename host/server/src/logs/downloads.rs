//! Logs each download.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Validators};
use media_cache_http_downloader::ConcurrencyLimiter;

use crate::abandoned::is_abandoned;
use crate::logs::requests::SharedRequestLog;

/// Decorates a [`Downloader`] to log every download, or a [`Transcoder`](media_cache::Transcoder) to log every conversion.
///
/// A download does not belong to a single request, because concurrent requests for a URL are coalesced. Its log line has the same URL
/// fingerprint as the lines of these requests.
pub struct Logged<D: ?Sized> {
    pub(super) inner: Arc<D>,
    pub(super) log: SharedRequestLog,
    /// Closed once the service ends all downloads.
    limiter: Option<ConcurrencyLimiter>,
}

impl<D: ?Sized> Logged<D> {
    /// Logs the downloads or conversions of `inner`. Their URLs are logged to the same extent as those of requests.
    #[must_use]
    pub fn new(inner: Arc<D>, log: SharedRequestLog) -> Self {
        Self { inner, log, limiter: None }
    }

    /// Downloads that are refused after this limiter was closed are logged as abandoned, and not as failed.
    #[must_use]
    pub fn with_limiter(self, limiter: ConcurrencyLimiter) -> Self {
        Self { limiter: Some(limiter), ..self }
    }
}

impl<D: Downloader + ?Sized> Downloader for Logged<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(async move {
            let begun = Instant::now();
            let fetched = self.inner.fetch(url).await;
            self.log_end(url, begun, fetched.as_ref().map(Some));
            fetched
        })
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let begun = Instant::now();
            let fetched = self.inner.fetch_if_changed(url, validators).await;
            let media = fetched.as_ref().map(|fetched| match fetched {
                Fetched::Media(media) => Some(media),
                Fetched::NotModified(_) => None,
            });
            self.log_end(url, begun, media);
            fetched
        })
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.inner.check(url, media)
    }
}

impl<D: ?Sized> Logged<D> {
    /// Logs the end of a download: now, or when a body that is still arriving has ended.
    fn log_end(&self, url: &str, begun: Instant, fetched: Result<Option<&FetchedMedia>, &FetchError>) {
        match fetched {
            // The body was still arriving, and has failed since.
            Ok(Some(FetchedMedia { body, .. })) if let Some(failure) = body.failure() => {
                self.entry(url, begun).write(Err(&failure))
            }
            Ok(Some(FetchedMedia { body, mimetype, .. })) => match body.completion() {
                Some(completion) => {
                    let (entry, mimetype) = (self.entry(url, begun), mimetype.clone());
                    tokio::spawn(async move {
                        let ended = completion.wait().await;
                        entry.write(ended.as_ref().map(|bytes| Some((mimetype.as_str(), *bytes))));
                    });
                }
                None => self.entry(url, begun).write(Ok(Some((mimetype, body.len())))),
            },
            Ok(None) => self.entry(url, begun).write(Ok(None)),
            Err(error) => self.entry(url, begun).write(Err(error)),
        }
    }

    fn entry(&self, url: &str, begun: Instant) -> LogEntry {
        LogEntry { log: self.log.clone(), limiter: self.limiter.clone(), url: url.to_owned(), begun }
    }
}

/// The log line of a download.
struct LogEntry {
    log: SharedRequestLog,
    limiter: Option<ConcurrencyLimiter>,
    url: String,
    begun: Instant,
}

impl LogEntry {
    /// Logs a download that has ended: with media of this type and size, without media because it has not changed, or with a failure.
    fn write(&self, ended: Result<Option<(&str, u64)>, &FetchError>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let logged = self.log.get().urls.describe(&self.url);
        let (key, host, url) = (logged.fingerprint.as_str(), logged.host.as_deref(), logged.text.as_deref());
        match ended {
            Ok(Some((mimetype, bytes))) => tracing::debug!(key, host, url, mimetype, bytes, seconds, "downloaded"),
            Ok(None) => tracing::debug!(key, host, url, seconds, "not modified"),
            Err(error) if is_abandoned(error, self.limiter.as_ref()) => {
                tracing::debug!(key, host, url, seconds, "download abandoned")
            }
            Err(error) => {
                let reason = error.to_string();
                tracing::info!(key, host, url, outcome = error.name(), reason = reason.as_str(), seconds, "download failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use media_cache_http_downloader::LimiterOptions;

    use super::*;

    #[test]
    fn download_that_is_refused_when_the_service_stops_is_logged_as_abandoned() {
        let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
        let logged = Logged::new(Arc::new(()), SharedRequestLog::default()).with_limiter(limiter.clone());
        let entry = logged.entry("https://example.org/a", Instant::now());
        assert!(!is_abandoned(&FetchError::Overloaded(None), entry.limiter.as_ref()));
        limiter.close();
        assert!(is_abandoned(&FetchError::Overloaded(None), entry.limiter.as_ref()));
        assert!(!is_abandoned(&FetchError::EmptyBody, entry.limiter.as_ref()));
    }
}
