//! Fetches media through the host's downloader, and remembers failures.

use crate::bindings::media_cache::cache::downloader::{self, Fetched, FetchedMedia, Request, Validators};
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;
use crate::clock;
use crate::failure_ttl::recalled;
use crate::lookup_key::LookupKey;

const NANOSECONDS: u64 = 1_000_000;

impl Cache {
    /// The failure that is remembered for the URL, if there is one.
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

    /// Fetches the URL. Returns the media and how long that took, in milliseconds.
    pub(crate) async fn download(&self, key: &LookupKey<'_>, context: Option<u64>) -> Result<(FetchedMedia, u32), FetchError> {
        let (result, cost) = self.fetch(key, None, context).await;
        match result.and_then(complete_media) {
            Ok(media) => {
                self.state.borrow_mut().counters.downloads += 1;
                Ok((media, cost))
            }
            Err(failure) => {
                let (failure, ttl) = self.settings.failure_ttl.apply(failure);
                let state = &mut *self.state.borrow_mut();
                state.counters.download_failures += 1;
                state.failures.remember(key.request_digest(), failure.clone(), clock::ticks(), u64::from(ttl) * NANOSECONDS);
                Err(failure)
            }
        }
    }

    /// Fetches the URL of a stored entry, conditionally if it has validators. Returns what was fetched and how long that took, in
    /// milliseconds. A failure is not remembered, since it concerns no other request: what is stored is still there.
    pub(crate) async fn fetch_again(
        &self,
        key: &LookupKey<'_>,
        validators: Validators,
        context: Option<u64>,
    ) -> Result<(Fetched, u32), FetchError> {
        let validators = (validators.etag.is_some() || validators.last_modified.is_some()).then_some(validators);
        let is_conditional = validators.is_some();
        let (result, cost) = self.fetch(key, validators, context).await;
        let result = result.and_then(|fetched| match fetched {
            Fetched::NotModified(cache_control) if is_conditional => Ok(Fetched::NotModified(cache_control)),
            fetched => complete_media(fetched).map(Fetched::Media),
        });
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

    /// Calls the host's downloader. Returns how long that took, too, in milliseconds.
    async fn fetch(
        &self,
        key: &LookupKey<'_>,
        validators: Option<Validators>,
        context: Option<u64>,
    ) -> (Result<Fetched, FetchError>, u32) {
        let started = clock::ticks();
        let result = downloader::fetch(Request { url: key.request_key.into(), validators, context }).await;
        (result, cost(clock::ticks().saturating_sub(started)))
    }
}

/// The media of a response to an unconditional request.
fn complete_media(fetched: Fetched) -> Result<FetchedMedia, FetchError> {
    match fetched {
        Fetched::Media(media) if media.body.size() == 0 => Err(FetchError::EmptyBody),
        Fetched::Media(media) => Ok(media),
        Fetched::NotModified(_) => {
            Err(FetchError::BrokenAnswer("the origin answered \"not modified\" to an unconditional request".into()))
        }
    }
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
    fn an_unconditional_request_cannot_be_answered_with_not_modified() {
        let answer = Fetched::NotModified(CacheControl { cacheability: Cacheability::Public, max_age: None, age: 0 });
        assert!(matches!(complete_media(answer), Err(FetchError::BrokenAnswer(_))));
    }
}
