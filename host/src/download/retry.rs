//! Trying again what may go better the next time.
//!
//! Only failures are tried again that pass by themselves: an origin that cannot be reached, that answers 500, 502, 503 or 504, or whose
//! answer is no HTTP or breaks off. What an origin meant is taken at its word, and so is one that says when to come back. What took too
//! long is not tried again: it had its time, in which TCP itself tried more than once. Pauses are random up to a limit that doubles
//! ("full jitter"), so that many who failed together do not come back together.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::{Download, Downloader, FetchError};

/// How often, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// How often a download is tried again. 2 unless set.
    pub retries: u32,
    /// The longest pause before the first retry; it doubles for each that follows. 200 milliseconds unless set.
    pub first_pause: Duration,
    /// The longest pause of all. 5 seconds unless set.
    pub longest_pause: Duration,
    /// How long a download may take, with all retries. 300 seconds unless set.
    pub total_timeout: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            retries: 2,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            total_timeout: Duration::from_secs(300),
        }
    }
}

/// A downloader that does not give up at once.
pub struct Retry<D> {
    downloader: D,
    options: RetryOptions,
    time: Arc<dyn Time>,
}

/// Time as it passes here; another in tests.
trait Time: Send + Sync {
    fn now(&self) -> Instant;
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

struct RealTime;

impl Time for RealTime {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

impl<D: Downloader> Retry<D> {
    /// Tries again what fails in `downloader`.
    #[must_use]
    pub fn new(downloader: D, options: RetryOptions) -> Self {
        Self { downloader, options, time: Arc::new(RealTime) }
    }

    async fn fetch_again(&self, url: &str, mut failure: FetchError, began: Instant) -> Result<Download, FetchError> {
        for retry in 0..self.options.retries {
            if !passes_by_itself(&failure) {
                break;
            }
            let pause = self.pause_before(retry).mul_f64(fastrand::f64());
            let left = |time: &dyn Time| self.options.total_timeout.saturating_sub(time.now() - began);
            if left(&*self.time) <= pause {
                break;
            }
            self.time.sleep(pause).await;
            failure = match timeout(left(&*self.time), self.downloader.fetch(url)).await {
                Ok(Ok(download)) => return Ok(download),
                // That there is no room to ask once more says less than what was said before.
                Ok(Err(FetchError::Overloaded { .. })) | Err(_) => break,
                Ok(Err(failure)) => failure,
            };
        }
        Err(failure)
    }

    /// The longest that the pause before a retry may be.
    fn pause_before(&self, retry: u32) -> Duration {
        let doubled = 2u32.checked_pow(retry).and_then(|times| self.options.first_pause.checked_mul(times));
        doubled.unwrap_or(Duration::MAX).min(self.options.longest_pause)
    }
}

impl<D: Downloader> Downloader for Retry<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        Box::pin(async move {
            let began = self.time.now();
            match self.downloader.fetch(url).await {
                Ok(download) => Ok(download),
                Err(failure) => self.fetch_again(url, failure, began).await,
            }
        })
    }
}

/// Whether it may go better in a moment, with nobody doing anything about it.
fn passes_by_itself(failure: &FetchError) -> bool {
    match failure {
        FetchError::Unreachable(_) | FetchError::BrokenAnswer(_) | FetchError::ShortBody(_) => true,
        FetchError::OriginStatus(status) => matches!(status, 500 | 502 | 504),
        FetchError::Unavailable { retry_after_seconds } => retry_after_seconds.is_none(),
        FetchError::InvalidUrl(_)
        | FetchError::Refused(_)
        | FetchError::NotFound
        | FetchError::Gone
        | FetchError::TooLarge { .. }
        | FetchError::TimedOut(_)
        | FetchError::OverlongBody(_)
        | FetchError::EmptyBody
        | FetchError::PartialBody
        | FetchError::EncodedBody(_)
        | FetchError::UnacceptableType(_)
        | FetchError::TooManyRedirects(_)
        | FetchError::Overloaded { .. }
        | FetchError::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    /// Time that passes while somebody sleeps, and at no other time.
    struct TestTime {
        now: Mutex<Instant>,
        slept: Mutex<Vec<Duration>>,
    }

    impl TestTime {
        fn new() -> Arc<Self> {
            Arc::new(Self { now: Mutex::new(Instant::now()), slept: Mutex::default() })
        }

        fn pass(&self, time: Duration) {
            *self.now.lock().unwrap() += time;
        }
    }

    impl Time for TestTime {
        fn now(&self) -> Instant {
            *self.now.lock().unwrap()
        }

        fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
            self.pass(time);
            self.slept.lock().unwrap().push(time);
            Box::pin(async {})
        }
    }

    /// What came of a download that is answered like this, each answer taking so long; how often it was tried, and the pauses.
    async fn outcome(
        options: RetryOptions,
        each: Duration,
        answers: &[Option<FetchError>],
    ) -> (Result<(), FetchError>, usize, Vec<Duration>) {
        let time = TestTime::new();
        let left: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(answers.iter().cloned().collect()));
        let downloader = {
            let (left, time) = (left.clone(), time.clone());
            move |url: String| {
                time.pass(each);
                let answer = left.lock().unwrap().pop_front().expect("it was asked too often");
                async move {
                    let done = Download { body: url.into(), mimetype: "text/plain".into(), filename: "a.txt".into() };
                    answer.map_or(Ok(done), Err)
                }
            }
        };
        let retry = Retry { downloader, options, time: time.clone() };
        let result = retry.fetch("test:a").await.map(drop);
        let tried = answers.len() - left.lock().unwrap().len();
        let slept = time.slept.lock().unwrap().clone();
        (result, tried, slept)
    }

    fn text() -> String {
        "because".into()
    }

    fn busy(retry_after_seconds: Option<u32>) -> FetchError {
        FetchError::Unavailable { retry_after_seconds }
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_tried_again_and_nothing_else_is() {
        let passing = [
            FetchError::Unreachable(text()),
            FetchError::BrokenAnswer(text()),
            FetchError::ShortBody(text()),
            FetchError::OriginStatus(500),
            FetchError::OriginStatus(502),
            FetchError::OriginStatus(504),
            busy(None),
        ];
        for failure in passing {
            let tried = outcome(RetryOptions::default(), Duration::ZERO, &[Some(failure.clone()), None]).await;
            assert_eq!((tried.0, tried.1), (Ok(()), 2), "{failure:?}");
        }
        let lasting = [
            FetchError::InvalidUrl(text()),
            FetchError::Refused(text()),
            FetchError::NotFound,
            FetchError::Gone,
            FetchError::OriginStatus(403),
            FetchError::OriginStatus(501),
            FetchError::TooLarge { limit: 1 },
            FetchError::TimedOut(text()),
            FetchError::OverlongBody(text()),
            FetchError::EmptyBody,
            FetchError::PartialBody,
            FetchError::EncodedBody(text()),
            FetchError::UnacceptableType(text()),
            FetchError::TooManyRedirects(5),
            busy(Some(1)),
            FetchError::Overloaded { retry_after_seconds: None },
            FetchError::Other(text()),
        ];
        for failure in lasting {
            let tried = outcome(RetryOptions::default(), Duration::ZERO, &[Some(failure.clone()), None]).await;
            assert_eq!((tried.0, tried.1), (Err(failure), 1));
        }
    }

    #[tokio::test]
    async fn it_is_tried_so_often_and_the_last_failure_counts() {
        let failures: Vec<_> = [500, 502, 504, 500].map(|status| Some(FetchError::OriginStatus(status))).into();
        for (retries, status) in [(0, 500), (1, 502), (2, 504)] {
            let options = RetryOptions { retries, ..RetryOptions::default() };
            let (result, tried, slept) = outcome(options, Duration::ZERO, &failures).await;
            assert_eq!((result, tried), (Err(FetchError::OriginStatus(status)), 1 + retries as usize));
            assert_eq!(slept.len(), retries as usize);
        }
        let lasting = [Some(FetchError::OriginStatus(500)), Some(FetchError::Gone), None];
        let (result, tried, _) = outcome(RetryOptions::default(), Duration::ZERO, &lasting).await;
        assert_eq!((result, tried), (Err(FetchError::Gone), 2));
    }

    #[tokio::test]
    async fn pauses_are_random_below_a_limit_that_doubles() {
        let options = RetryOptions { retries: 8, ..RetryOptions::default() };
        let limits = [200, 400, 800, 1600, 3200, 5000, 5000, 5000].map(Duration::from_millis);
        let failures = vec![Some(busy(None)); 9];
        let mut all = Vec::new();
        for _ in 0..50 {
            let (_, tried, slept) = outcome(options, Duration::ZERO, &failures).await;
            assert_eq!((tried, slept.len()), (9, 8));
            assert!(slept.iter().zip(limits).all(|(slept, limit)| *slept < limit), "{slept:?}");
            all.push(slept);
        }
        for (retry, limit) in limits.into_iter().enumerate() {
            let longest = all.iter().map(|slept| slept[retry]).max().unwrap();
            assert!(longest > limit / 2, "of fifty pauses below {limit:?} the longest is {longest:?}");
        }
        let retry = Retry::new(|_: String| async { Err(FetchError::NotFound) }, RetryOptions::default());
        assert_eq!(retry.pause_before(u32::MAX), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn no_retry_begins_when_the_time_is_over() {
        let failures = vec![Some(FetchError::ShortBody(text())); 3];
        let options = RetryOptions { total_timeout: Duration::from_secs(100), ..RetryOptions::default() };
        for (each, expected) in [(1, 3), (60, 2), (100, 1), (500, 1)] {
            let (result, tried, _) = outcome(options, Duration::from_secs(each), &failures).await;
            assert_eq!((result, tried), (Err(FetchError::ShortBody(text())), expected), "{each} s each");
        }
    }

    #[tokio::test]
    async fn that_there_is_no_room_to_try_again_does_not_hide_what_went_wrong() {
        let answers = [Some(FetchError::OriginStatus(500)), Some(FetchError::Overloaded { retry_after_seconds: None }), None];
        let (result, tried, _) = outcome(RetryOptions::default(), Duration::ZERO, &answers).await;
        assert_eq!((result, tried), (Err(FetchError::OriginStatus(500)), 2));
    }
}
