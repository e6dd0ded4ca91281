//! Retries transient failures.
//!
//! These failures are transient: the origin cannot be reached, it responds with 500, 502, 503 or 504, or its response is not HTTP or ends
//! early. Other responses are final, including those with a `Retry-After`. Timeouts are not retried: TCP has already retransmitted in that
//! time. Media whose body is still arriving counts as a success: a later failure is not retried, but the body has to end within the time
//! for the download. The backoff is random up to a limit that doubles ("full jitter"), so that downloads that fail at the same time are not
//! retried at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, timeout};

use media_cache_interfaces::{Blob, Completion, Downloader, FetchError, Fetched, FetchedMedia, Validators};

/// How often and for how long downloads are retried.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// The maximum number of retries of a download. 2 by default.
    pub retries: u32,
    /// The limit of the backoff before the first retry; it doubles with each retry. 200 milliseconds by default.
    pub initial_backoff: Duration,
    /// The limit of every backoff. 5 seconds by default.
    pub max_backoff: Duration,
    /// The maximum time for a download, including its retries. 300 seconds by default.
    pub download_timeout: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            retries: 2,
            initial_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            download_timeout: Duration::from_secs(300),
        }
    }
}

/// A downloader that retries transient failures of another.
pub struct Retry<D> {
    downloader: D,
    options: RetryOptions,
    clock: Arc<dyn Clock>,
}

/// The clock, which tests replace.
trait Clock: Send + Sync {
    fn now(&self) -> Instant;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl<D: Downloader> Retry<D> {
    /// Retries transient failures of `downloader`.
    #[must_use]
    pub fn new(downloader: D, options: RetryOptions) -> Self {
        Self { downloader, options, clock: Arc::new(SystemClock) }
    }

    /// Calls `fetch`, and calls it again after a transient failure. `body` returns the body of the fetched media.
    async fn attempt<'a, T>(
        &self,
        fetch: impl Fn() -> BoxFuture<'a, Result<T, FetchError>>,
        body: impl Fn(&T) -> Option<&Blob>,
    ) -> Result<T, FetchError> {
        let started = self.clock.now();
        match fetch().await {
            Ok(fetched) => Ok(fetched),
            Err(failure) => self.retry(fetch, body, failure, started).await,
        }
    }

    async fn retry<'a, T>(
        &self,
        fetch: impl Fn() -> BoxFuture<'a, Result<T, FetchError>>,
        body: impl Fn(&T) -> Option<&Blob>,
        mut failure: FetchError,
        started: Instant,
    ) -> Result<T, FetchError> {
        let time_left = || self.options.download_timeout.saturating_sub(self.clock.now() - started);
        for retry in 0..self.options.retries {
            let backoff = self.backoff_limit(retry).mul_f64(fastrand::f64());
            if !is_transient(&failure) || time_left() <= backoff {
                break;
            }
            self.clock.sleep(backoff).await;
            failure = match timeout(time_left(), fetch()).await {
                Ok(Ok(fetched)) => {
                    if let Some(completion) = body(&fetched).and_then(Blob::completion) {
                        tokio::spawn(end_after(time_left(), completion, self.options.download_timeout));
                    }
                    return Ok(fetched);
                }
                // The previous failure is more informative than a lack of capacity or time for the retry.
                Ok(Err(FetchError::Overloaded { .. })) | Err(_) => break,
                Ok(Err(failure)) => failure,
            };
        }
        Err(failure)
    }

    /// The limit of the backoff before a retry, counted from 0.
    fn backoff_limit(&self, retry: u32) -> Duration {
        let doubled = 2u32.checked_pow(retry).and_then(|factor| self.options.initial_backoff.checked_mul(factor));
        doubled.unwrap_or(Duration::MAX).min(self.options.max_backoff)
    }
}

impl<D: Downloader> Downloader for Retry<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(self.attempt(move || self.downloader.fetch(url), |media| Some(&media.body)))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(self.attempt(move || self.downloader.fetch_if_changed(url, validators), Fetched::body))
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.downloader.check(url, media)
    }
}

/// Ends a body that is still arriving when the time is up.
async fn end_after(left: Duration, completion: Completion, limit: Duration) {
    if timeout(left, completion.clone().wait()).await.is_err() {
        completion.fail(FetchError::TimedOut(format!("the download did not finish within {limit:?}, including retries")));
    }
}

/// Whether a retry may soon succeed. Every other failure is final.
fn is_transient(failure: &FetchError) -> bool {
    match failure {
        FetchError::Unreachable(_) | FetchError::BrokenAnswer(_) | FetchError::ShortBody(_) => true,
        FetchError::OriginStatus(status) => matches!(status, 500 | 502 | 504),
        FetchError::Unavailable(retry_after_seconds) => retry_after_seconds.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_cache_interfaces::{Spool, SpooledBody};
    use std::collections::VecDeque;
    use std::sync::Mutex;

    /// A clock that advances only when a test says so, or when a task sleeps.
    struct TestClock {
        now: Mutex<Instant>,
        slept: Mutex<Vec<Duration>>,
    }

    impl TestClock {
        fn new() -> Arc<Self> {
            Arc::new(Self { now: Mutex::new(Instant::now()), slept: Mutex::default() })
        }

        fn advance(&self, duration: Duration) {
            *self.now.lock().unwrap() += duration;
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Instant {
            *self.now.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.advance(duration);
            self.slept.lock().unwrap().push(duration);
            Box::pin(async {})
        }
    }

    /// Downloads from an origin with these results, each of which takes `duration`. Returns the result of the download, the number of
    /// attempts and the backoffs between them.
    async fn outcome(
        options: RetryOptions,
        duration: Duration,
        results: &[Option<FetchError>],
    ) -> (Result<(), FetchError>, usize, Vec<Duration>) {
        let clock = TestClock::new();
        let remaining: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(results.iter().cloned().collect()));
        let downloader = {
            let (remaining, clock) = (remaining.clone(), clock.clone());
            move |url: String| {
                clock.advance(duration);
                let failure = remaining.lock().unwrap().pop_front().expect("too many attempts");
                async move {
                    let media = FetchedMedia::new(url, "text/plain", "a.txt");
                    failure.map_or(Ok(media), Err)
                }
            }
        };
        let retry = Retry { downloader, options, clock: clock.clone() };
        let result = retry.fetch("test:a").await.map(drop);
        let attempts = results.len() - remaining.lock().unwrap().len();
        let backoffs = clock.slept.lock().unwrap().clone();
        (result, attempts, backoffs)
    }

    fn text() -> String {
        "because".into()
    }

    fn busy(retry_after_seconds: Option<u32>) -> FetchError {
        FetchError::Unavailable(retry_after_seconds)
    }

    #[tokio::test]
    async fn only_transient_failures_are_retried() {
        let transient = [
            FetchError::Unreachable(text()),
            FetchError::BrokenAnswer(text()),
            FetchError::ShortBody(text()),
            FetchError::OriginStatus(500),
            FetchError::OriginStatus(502),
            FetchError::OriginStatus(504),
            busy(None),
        ];
        for failure in transient {
            let (result, attempts, _) = outcome(RetryOptions::default(), Duration::ZERO, &[Some(failure.clone()), None]).await;
            assert_eq!((result, attempts), (Ok(()), 2), "{failure:?}");
        }
        let permanent = [
            FetchError::InvalidUrl(text()),
            FetchError::Refused(text()),
            FetchError::NotFound,
            FetchError::Gone,
            FetchError::Denied(403),
            FetchError::UnavailableForLegalReasons,
            FetchError::OriginStatus(402),
            FetchError::OriginStatus(501),
            FetchError::TooLarge(1),
            FetchError::TimedOut(text()),
            FetchError::OverlongBody(text()),
            FetchError::EmptyBody,
            FetchError::PartialBody,
            FetchError::EncodedBody(text()),
            FetchError::UnacceptableType(text()),
            FetchError::TooManyRedirects(5),
            busy(Some(1)),
            FetchError::Overloaded(None),
            FetchError::Other(text()),
        ];
        for failure in permanent {
            let (result, attempts, _) = outcome(RetryOptions::default(), Duration::ZERO, &[Some(failure.clone()), None]).await;
            assert_eq!((result, attempts), (Err(failure), 1));
        }
    }

    #[tokio::test]
    async fn retries_are_limited_and_the_last_failure_is_returned() {
        let failures: Vec<_> = [500, 502, 504, 500].map(|status| Some(FetchError::OriginStatus(status))).into();
        for (retries, status) in [(0, 500), (1, 502), (2, 504)] {
            let options = RetryOptions { retries, ..RetryOptions::default() };
            let (result, attempts, backoffs) = outcome(options, Duration::ZERO, &failures).await;
            assert_eq!((result, attempts), (Err(FetchError::OriginStatus(status)), 1 + retries as usize));
            assert_eq!(backoffs.len(), retries as usize);
        }
        let results = [Some(FetchError::OriginStatus(500)), Some(FetchError::Gone), None];
        let (result, attempts, _) = outcome(RetryOptions::default(), Duration::ZERO, &results).await;
        assert_eq!((result, attempts), (Err(FetchError::Gone), 2));
    }

    #[tokio::test]
    async fn backoff_is_random_below_a_limit_that_doubles() {
        let options = RetryOptions { retries: 8, ..RetryOptions::default() };
        let limits = [200, 400, 800, 1600, 3200, 5000, 5000, 5000].map(Duration::from_millis);
        let failures = vec![Some(busy(None)); 9];
        let mut all = Vec::new();
        for _ in 0..50 {
            let (_, attempts, backoffs) = outcome(options, Duration::ZERO, &failures).await;
            assert_eq!((attempts, backoffs.len()), (9, 8));
            assert!(backoffs.iter().zip(limits).all(|(backoff, limit)| *backoff < limit), "{backoffs:?}");
            all.push(backoffs);
        }
        for (retry, limit) in limits.into_iter().enumerate() {
            let longest = all.iter().map(|backoffs| backoffs[retry]).max().unwrap();
            assert!(longest > limit / 2, "the longest of fifty backoffs below {limit:?} is {longest:?}");
        }
        let retry = Retry::new(|_: String| async { Err(FetchError::NotFound) }, RetryOptions::default());
        assert_eq!(retry.backoff_limit(u32::MAX), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn no_retry_starts_after_the_timeout() {
        let failures = vec![Some(FetchError::ShortBody(text())); 3];
        let options = RetryOptions { download_timeout: Duration::from_secs(100), ..RetryOptions::default() };
        for (seconds, expected) in [(1, 3), (60, 2), (100, 1), (500, 1)] {
            let (result, attempts, _) = outcome(options, Duration::from_secs(seconds), &failures).await;
            assert_eq!((result, attempts), (Err(FetchError::ShortBody(text())), expected), "{seconds} s each");
        }
    }

    #[tokio::test]
    async fn body_of_a_retry_that_is_still_arriving_at_the_timeout_ends_early() {
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let begun = attempts.clone();
        let downloader = move |_: String| {
            let (blob, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
            let mut begun = begun.lock().unwrap();
            begun.push(writer);
            let is_first = begun.len() == 1;
            async move { if is_first { Err(FetchError::OriginStatus(500)) } else { Ok(FetchedMedia::new(blob, "text/plain", "a.txt")) } }
        };
        let options = RetryOptions { download_timeout: Duration::from_millis(50), ..RetryOptions::default() };
        let options = RetryOptions { initial_backoff: Duration::ZERO, ..options };
        let media = Retry::new(downloader, options).fetch("test:a").await.unwrap();
        assert!(matches!(media.body.finished().await, Err(FetchError::TimedOut(_))));
        let writer = attempts.lock().unwrap().pop().unwrap();
        writer.abandoned().wait().await;
    }

    #[tokio::test]
    async fn refused_retry_returns_the_previous_failure() {
        let results = [Some(FetchError::OriginStatus(500)), Some(FetchError::Overloaded(None)), None];
        let (result, attempts, _) = outcome(RetryOptions::default(), Duration::ZERO, &results).await;
        assert_eq!((result, attempts), (Err(FetchError::OriginStatus(500)), 2));
    }
}
