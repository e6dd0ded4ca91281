//! Fetches media through the host's downloader, and remembers failures.

use futures::FutureExt;

use crate::bindings::media_cache::cache::downloader::{self, Fetched, FetchedMedia, Request, Validators};
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;
use crate::clock;
use crate::failure_ttl::recalled;
use crate::lookup_key::LookupKey;

const NANOSECONDS: u64 = 1_000_000;

/// A fetch that has returned media.
pub(crate) enum Download {
    /// The complete media, and how long the fetch took, in milliseconds.
    Complete(FetchedMedia, u32),
    /// Its body is still arriving. The fetch began at this tick.
    Arriving(FetchedMedia, u64),
}

impl Cache {
    /// Returns the failure that is remembered for the URL, if any, as an error.
    pub(crate) fn recall_failure(&self, key: &LookupKey<'_>) -> Result<(), FetchError> {
        let state = &mut *self.state.borrow_mut();
        match state.failures.recall(&key.request_digest(), clock::ticks()) {
            Some((failure, left)) => {
                state.counters.remembered_failures += 1;
                Err(recalled(failure, left))
            }
            None => Ok(()),
        }
    }

    /// Fetches the URL. If the body is still arriving and may already be served, the download [ends](Self::end_download) later. With
    /// `refreshes`, the media has to be current, as for [`fetch_again`](Self::fetch_again).
    pub(crate) async fn download(
        &self,
        key: &LookupKey<'_>,
        context: Option<u64>,
        refreshes: bool,
    ) -> Result<Download, FetchError> {
        let began = clock::ticks();
        let validators = refreshes.then_some(Validators { etag: None, last_modified: None });
        let media = match downloader::fetch(request(key, validators, context)).await.and_then(media_of) {
            Ok(media) => media,
            Err(failure) => return Err(self.download_failed(key, failure)),
        };
        let ended = match media.body.finished().now_or_never() {
            Some(ended) => ended,
            None if !self.is_needed_whole(&media) => return Ok(Download::Arriving(media, began)),
            None => media.body.finished().await,
        };
        let cost = self.end_download(key, ended, media.body.size(), began)?;
        Ok(Download::Complete(media, cost))
    }

    /// Counts a download that has ended. If it failed, the failure is also remembered. `size` is the size of the body. Returns how long the
    /// download took, in milliseconds.
    pub(crate) fn end_download(
        &self,
        key: &LookupKey<'_>,
        ended: Result<(), FetchError>,
        size: u64,
        began: u64,
    ) -> Result<u32, FetchError> {
        match ended.and_then(|()| check_size(size)) {
            Ok(()) => {
                self.state.borrow_mut().counters.downloads += 1;
                Ok(cost_since(began))
            }
            Err(failure) => Err(self.download_failed(key, failure)),
        }
    }

    /// Counts and remembers a failure, and returns it in the form that callers receive.
    fn download_failed(&self, key: &LookupKey<'_>, failure: FetchError) -> FetchError {
        let (failure, ttl) = self.settings.failure_ttl.apply(failure);
        let state = &mut *self.state.borrow_mut();
        state.counters.download_failures += 1;
        state.failures.remember(key.request_digest(), failure.clone(), clock::ticks(), u64::from(ttl) * NANOSECONDS);
        failure
    }

    /// Fetches the URL of a stored entry, conditionally if it has validators. Returns the result and how long the fetch took, in
    /// milliseconds. A failure is not remembered, since it does not affect other requests: the stored media is still available.
    pub(crate) async fn fetch_again(
        &self,
        key: &LookupKey<'_>,
        validators: Validators,
        context: Option<u64>,
    ) -> Result<(Fetched, u32), FetchError> {
        let is_conditional = validators.etag.is_some() || validators.last_modified.is_some();
        let began = clock::ticks();
        // Even without validators, the host must ask the origin rather than another cache.
        let result = match downloader::fetch(request(key, Some(validators), context)).await {
            Ok(Fetched::NotModified(cache_control)) if is_conditional => Ok(Fetched::NotModified(cache_control)),
            Ok(fetched) => whole_media_of(fetched).await.map(Fetched::Media),
            Err(failure) => Err(failure),
        };
        let cost = cost_since(began);
        let counters = &mut self.state.borrow_mut().counters;
        match result {
            Ok(fetched) => {
                counters.downloads += 1;
                Ok((fetched, cost))
            }
            Err(failure) => {
                counters.download_failures += 1;
                Err(self.settings.failure_ttl.apply(failure).0)
            }
        }
    }
}

fn request(key: &LookupKey<'_>, validators: Option<Validators>, context: Option<u64>) -> Request {
    Request { url: key.request_key.into(), validators, context }
}

/// The media of a response to an unconditional request, once all of it has arrived.
async fn whole_media_of(fetched: Fetched) -> Result<FetchedMedia, FetchError> {
    let media = media_of(fetched)?;
    media.body.finished().await?;
    check_size(media.body.size()).map(|()| media)
}

/// The media of a response to an unconditional request.
fn media_of(fetched: Fetched) -> Result<FetchedMedia, FetchError> {
    match fetched {
        Fetched::Media(media) => Ok(media),
        Fetched::NotModified(_) => {
            Err(FetchError::BrokenAnswer("the origin answered \"not modified\" to an unconditional request".into()))
        }
    }
}

fn check_size(size: u64) -> Result<(), FetchError> {
    if size == 0 { Err(FetchError::EmptyBody) } else { Ok(()) }
}

/// The cost of a fetch that began at this tick, in milliseconds.
pub(crate) fn cost_since(began: u64) -> u32 {
    cost(clock::ticks().saturating_sub(began))
}

/// The cost of a fetch in milliseconds, at least 1: 0 stands for unknown.
fn cost(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds / NANOSECONDS).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::media_cache::cache::downloader::{CacheControl, Cacheability};

    #[test]
    fn the_cost_is_in_milliseconds_and_at_least_one() {
        for (nanoseconds, milliseconds) in [(0, 1), (999_999, 1), (1_000_000, 1), (2_999_999, 2), (u64::MAX, u32::MAX)] {
            assert_eq!(cost(nanoseconds), milliseconds, "{nanoseconds}");
        }
    }

    #[test]
    fn not_modified_response_to_an_unconditional_request_is_an_error() {
        let answer = Fetched::NotModified(CacheControl { cacheability: Cacheability::Public, max_age: None, age: 0 });
        assert!(matches!(media_of(answer), Err(FetchError::BrokenAnswer(_))));
    }
}
