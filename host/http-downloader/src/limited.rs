//! A downloader that needs a permit of a [`ConcurrencyLimiter`] for each download.

use futures::future::BoxFuture;
use url::Url;

use crate::concurrency_limiter::ConcurrencyLimiter;
use media_cache_interfaces::{Downloader, FetchError, Fetched, FetchedMedia, Validators};

/// Limits the concurrency of a downloader.
pub struct Limited<D> {
    downloader: D,
    limiter: ConcurrencyLimiter,
}

impl<D: Downloader> Limited<D> {
    /// Lets `downloader` run within the limits of `limiter`, which several downloaders may share.
    #[must_use]
    pub fn new(downloader: D, limiter: ConcurrencyLimiter) -> Self {
        Self { downloader, limiter }
    }
}

impl<D: Downloader> Limited<D> {
    /// Calls `fetch` once there is a permit for it.
    async fn with_permit<'a, T>(
        &self,
        url: &str,
        fetch: impl FnOnce() -> BoxFuture<'a, Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let download = async {
            let _permit = self.limiter.acquire(&host_of(url)).await?;
            fetch().await
        };
        tokio::select! {
            biased;
            () = self.limiter.closed() => Err(FetchError::Overloaded(None)),
            result = download => result,
        }
    }
}

impl<D: Downloader> Downloader for Limited<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(self.with_permit(url, move || self.downloader.fetch(url)))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(self.with_permit(url, move || self.downloader.fetch_if_changed(url, validators)))
    }
}

/// The host that a download counts for. All `mxc` URLs go to one homeserver. The targets of redirects are not known and do not count.
fn host_of(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    match url.host_str() {
        Some(host) if url.scheme() != "mxc" => host.trim_end_matches('.').to_ascii_lowercase(),
        _ => format!("{}:", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::sync::watch;

    use super::*;
    use crate::wait_queue::{LimiterCounts, LimiterOptions};

    /// An origin whose downloads start at once and finish, by URL, when the test says so.
    struct ManualOrigin {
        started: watch::Sender<Vec<String>>,
        finished: watch::Sender<Vec<String>>,
    }

    impl ManualOrigin {
        fn new() -> Arc<Self> {
            Arc::new(Self { started: watch::Sender::default(), finished: watch::Sender::default() })
        }

        fn limited(self: &Arc<Self>, options: LimiterOptions) -> Limited<impl Downloader> {
            let origin = self.clone();
            let downloader = move |url: String| {
                let origin = origin.clone();
                async move {
                    origin.started.send_modify(|started| started.push(url.clone()));
                    let _ = origin.finished.subscribe().wait_for(|finished| finished.contains(&url)).await;
                    Err(FetchError::NotFound)
                }
            };
            Limited::new(downloader, ConcurrencyLimiter::new(options))
        }

        fn started(&self) -> Vec<String> {
            self.started.borrow().clone()
        }

        fn finish(&self, url: &str) {
            self.finished.send_modify(|finished| finished.push(url.into()));
        }
    }

    fn options(max_downloads: usize, max_downloads_per_host: usize, max_queued_downloads: usize) -> LimiterOptions {
        LimiterOptions {
            max_downloads: NonZeroUsize::new(max_downloads).unwrap(),
            max_downloads_per_host: NonZeroUsize::new(max_downloads_per_host).unwrap(),
            max_queued_downloads,
            max_queue_time: Duration::from_secs(3600),
        }
    }

    type Fetch<'a> = Pin<Box<dyn Future<Output = Result<FetchedMedia, FetchError>> + Send + 'a>>;

    /// Requests downloads, in this order. None of them finishes.
    fn request<'a>(limited: &'a Limited<impl Downloader>, urls: &[&'a str]) -> Vec<Fetch<'a>> {
        let mut fetches: Vec<_> = urls.iter().map(|url| limited.fetch(url)).collect();
        proceed(&mut fetches);
        fetches
    }

    /// Polls downloads, and drops those that are finished.
    fn proceed(fetches: &mut Vec<Fetch<'_>>) {
        // Once for those that finish, and once for those that start thereafter.
        for _ in 0..2 {
            fetches.retain_mut(|fetch| fetch.now_or_never().is_none());
        }
    }

    fn counts(limited: &Limited<impl Downloader>) -> (usize, usize, u64) {
        let LimiterCounts { active, queued, refused } = limited.limiter.counts();
        (active, queued, refused)
    }

    #[tokio::test]
    async fn downloads_start_in_the_order_of_their_requests() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(2, 2, 10));
        let urls = ["http://a/1", "http://b/2", "http://a/3", "http://c/4"];
        let mut fetches = request(&limited, &urls);
        assert_eq!((origin.started(), counts(&limited)), (vec!["http://a/1".to_owned(), "http://b/2".into()], (2, 2, 0)));
        origin.finish("http://b/2");
        proceed(&mut fetches);
        assert_eq!((origin.started().last().unwrap().as_str(), counts(&limited)), ("http://a/3", (2, 1, 0)));
        origin.finish("http://a/1");
        proceed(&mut fetches);
        assert_eq!((origin.started().last().unwrap().as_str(), counts(&limited)), ("http://c/4", (2, 0, 0)));
        drop(fetches);
        assert_eq!(counts(&limited), (0, 0, 0));
    }

    #[tokio::test]
    async fn slow_host_delays_no_other_host() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(3, 1, 10));
        let urls =
            ["http://slow/1", "http://SLOW:81/2", "http://slow./3", "http://slow/4", "http://a/5", "http://b/6", "http://c/7"];
        let mut fetches = request(&limited, &urls);
        assert_eq!(origin.started(), ["http://slow/1", "http://a/5", "http://b/6"]);
        assert_eq!(counts(&limited), (3, 4, 0));
        origin.finish("http://a/5");
        proceed(&mut fetches);
        assert_eq!(origin.started().last().unwrap(), "http://c/7", "the earlier ones have to wait for the slow host");
        origin.finish("http://slow/1");
        proceed(&mut fetches);
        assert_eq!(origin.started().last().unwrap(), "http://SLOW:81/2", "all ports belong to the same host");
    }

    #[tokio::test]
    async fn full_queue_refuses_downloads_with_an_advised_wait() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(1, 1, 2));
        let fetches = request(&limited, &["http://a/1", "http://b/2", "http://c/3"]);
        assert_eq!(counts(&limited), (1, 2, 0));
        let error = limited.fetch("http://d/4").await.unwrap_err();
        assert_eq!(error, FetchError::Overloaded(Some(1)));
        assert_eq!(counts(&limited), (1, 2, 1));
        drop(fetches);
        let fetches = request(&limited, &["http://d/4"]);
        assert_eq!((origin.started().last().unwrap().as_str(), counts(&limited)), ("http://d/4", (1, 0, 1)));
        drop(fetches);
    }

    #[tokio::test]
    async fn one_host_cannot_fill_the_queue() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(2, 1, 4));
        let mut fetches = request(&limited, &["http://slow/1", "http://slow/2", "http://slow/3", "http://a/4", "http://b/5"]);
        assert!(matches!(limited.fetch("http://slow/6").await, Err(FetchError::Overloaded { .. })), "it has half of the queue");
        fetches.extend(request(&limited, &["http://b/7"]));
        assert_eq!(counts(&limited), (2, 4, 1));
    }

    #[tokio::test]
    async fn queue_of_length_zero_lets_downloads_run() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(LimiterOptions { max_queue_time: Duration::ZERO, ..options(1, 1, 0) });
        let fetches = request(&limited, &["http://a/1"]);
        assert_eq!(origin.started(), ["http://a/1"]);
        assert!(matches!(limited.fetch("http://b/2").await, Err(FetchError::Overloaded { .. })));
        drop(fetches);
    }

    #[tokio::test]
    async fn dropped_download_releases_its_place_at_every_stage() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(1, 1, 10));
        let mut fetches = request(&limited, &["http://a/1", "http://a/2", "http://b/3", "http://a/4", "http://c/5"]);
        // The second waits for a permit of its host, and the third for one of all.
        drop(fetches.remove(2));
        drop(fetches.remove(1));
        assert_eq!(counts(&limited), (1, 2, 0));
        drop(fetches.remove(0));
        proceed(&mut fetches);
        assert_eq!(origin.started(), ["http://a/1", "http://a/4"]);
        assert_eq!(counts(&limited), (1, 1, 0));
        // One that has been started but not polled since.
        origin.finish("http://a/4");
        assert!(fetches[0].as_mut().now_or_never().is_some());
        drop(fetches.remove(1));
        drop(fetches);
        assert_eq!(counts(&limited), (0, 0, 0));
        assert!(limited.limiter.is_idle());
    }

    #[tokio::test]
    async fn download_is_refused_after_the_longest_wait() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(LimiterOptions { max_queue_time: Duration::from_millis(5), ..options(1, 1, 10) });
        let fetches = request(&limited, &["http://a/1"]);
        for url in ["http://a/2", "http://b/3"] {
            assert!(matches!(limited.fetch(url).await, Err(FetchError::Overloaded(Some(1)))));
        }
        assert_eq!(counts(&limited), (1, 0, 2));
        drop(fetches);
    }

    #[tokio::test]
    async fn closing_abandons_active_queued_and_later_downloads() {
        let origin = ManualOrigin::new();
        let limited = origin.limited(options(1, 1, 1));
        let mut fetches = request(&limited, &["http://a/1", "http://a/2"]);
        assert_eq!(counts(&limited), (1, 1, 0));
        limited.limiter.close();
        let results: Vec<_> = fetches.drain(..).map(|fetch| fetch.now_or_never().map(Result::unwrap_err)).collect();
        let abandoned = FetchError::Overloaded(None);
        assert_eq!(results, [Some(abandoned.clone()), Some(abandoned.clone())]);
        assert_eq!(counts(&limited), (0, 0, 0));
        assert_eq!(limited.fetch("http://b/").await.map(|_| ()).unwrap_err(), abandoned);
    }

    #[tokio::test]
    async fn result_of_the_downloader_is_passed_on() {
        let echo = |url: String| async move { Ok(FetchedMedia::new(url, "text/plain", "a")) };
        let limited = Limited::new(echo, ConcurrencyLimiter::new(LimiterOptions::default()));
        assert_eq!(limited.fetch("no url").await.unwrap().body.len(), 6);
        assert_eq!(counts(&limited), (0, 0, 0));
    }

    #[test]
    fn download_counts_for_the_host_of_its_url() {
        for (url, expected) in [
            ("https://User@Example.ORG.:8443/a", "example.org"),
            ("https://[::1]:80/", "[::1]"),
            ("mxc://example.org/a", "mxc:"),
            ("MXC://other.org/a", "mxc:"),
            ("emoji:smile", "emoji:"),
            ("no url", ""),
        ] {
            assert_eq!(host_of(url), expected, "{url}");
        }
    }
}
