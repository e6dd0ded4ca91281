//! Metrics of downloads, by class of host: how many, how they ended, their size and duration.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use media_cache::{Blob, FetchError, Histogram, HistogramSnapshot};
use media_cache_http_downloader::{ConcurrencyLimiter, HostPattern};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use url::{Host, Url};

use crate::abandoned::is_abandoned;
use crate::metrics::durations::{DOWNLOADS, Durations};
use crate::metrics::host_table::{HostTable, Tally};
use crate::metrics::in_progress::InProgress;

/// The outcome of a download that was ended because it was no longer needed.
const ABANDONED: &str = "abandoned";

/// The classes of hosts that match no pattern.
const CLASSES: [&str; 3] = [MATRIX, ADDRESS, OTHER];
const MATRIX: &str = "matrix";
const ADDRESS: &str = "address";
const OTHER: &str = "other";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
    host_class: Cow<'static, str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByHost {
    host_class: Cow<'static, str>,
}

#[derive(Clone)]
pub(crate) struct Downloads {
    ended: Family<Ended, Counter>,
    bytes: Family<ByHost, Counter>,
    time: Family<ByHost, Durations>,
    in_progress: Gauge,
    hosts: Arc<[HostPattern]>,
    /// The downloads by host, for the dashboard.
    table: Arc<HostTable>,
    /// Closed once the service ends all downloads.
    limiter: Arc<OnceLock<ConcurrencyLimiter>>,
}

/// How a download ended.
enum End<'a> {
    /// With this many bytes.
    Success(u64),
    Failure(&'a FetchError),
    /// It is no longer needed.
    Abandoned,
}

/// A download that is measured. If this is dropped before the end is recorded, it was abandoned.
struct Measurement {
    downloads: Downloads,
    host: Option<String>,
    host_class: Cow<'static, str>,
    begun: Instant,
    is_recorded: bool,
    _in_progress: InProgress,
}

impl Measurement {
    fn end(mut self, end: &End<'_>) {
        self.is_recorded = true;
        self.downloads.record(self.host.take(), self.host_class.clone(), self.begun, end);
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.downloads.record(self.host.take(), self.host_class.clone(), self.begun, &End::Abandoned);
        }
    }
}

impl Downloads {
    pub fn register(registry: &mut Registry, hosts: Vec<HostPattern>) -> Self {
        let downloads = Self {
            ended: Family::default(),
            bytes: Family::default(),
            time: Family::new_with_constructor(|| Durations::new(DOWNLOADS)),
            in_progress: Gauge::default(),
            hosts: hosts.into(),
            table: Arc::default(),
            limiter: Arc::default(),
        };
        registry.register(
            "downloads",
            "Downloads that have ended, by outcome. Those that ended early because they were no longer needed are abandoned",
            downloads.ended.clone(),
        );
        registry.register("downloaded_bytes", "Bytes of media fetched by successful downloads", downloads.bytes.clone());
        registry.register(
            "download_seconds",
            "Duration of downloads, regardless of their outcome, including the wait for a permit and retries",
            downloads.time.clone(),
        );
        registry.register("downloads_in_progress", "Downloads in progress", downloads.in_progress.clone());
        downloads
    }

    /// Measures a download of a URL and records its outcome. If the body is still arriving, it is recorded when the body has ended.
    /// `body` returns the body of the media, if the origin sent one.
    pub async fn measure<T>(
        &self,
        url: &str,
        download: impl Future<Output = Result<T, FetchError>>,
        body: impl Fn(&T) -> Option<&Blob>,
    ) -> Result<T, FetchError> {
        let measurement = Measurement {
            downloads: self.clone(),
            host: host_of(url),
            host_class: self.class(url),
            begun: Instant::now(),
            is_recorded: false,
            _in_progress: InProgress::new(&self.in_progress),
        };
        let fetched = download.await;
        // A body that was arriving may have failed by now.
        let failed = fetched.as_ref().ok().and_then(|fetched| body(fetched)?.failure());
        match fetched.as_ref().map(body) {
            Ok(_) if let Some(failure) = &failed => measurement.end(&End::Failure(failure)),
            Ok(body) => match body.and_then(Blob::completion) {
                Some(completion) => {
                    tokio::spawn(async move {
                        match completion.wait().await {
                            Ok(bytes) => measurement.end(&End::Success(bytes)),
                            Err(failure) => measurement.end(&End::Failure(&failure)),
                        }
                    });
                }
                None => measurement.end(&End::Success(body.map_or(0, Blob::len))),
            },
            Err(error) => measurement.end(&End::Failure(error)),
        }
        fetched
    }

    /// Downloads that are refused after this limiter was closed count as abandoned.
    pub fn watch(&self, limiter: ConcurrencyLimiter) {
        // Further limiters of a service would be closed at the same time.
        let _ = self.limiter.set(limiter);
    }

    /// The counts of the busiest hosts.
    pub fn hosts(&self) -> &HostTable {
        &self.table
    }

    /// The durations of the downloads of all hosts.
    pub fn durations(&self) -> Vec<HistogramSnapshot> {
        let classes = self.hosts.iter().map(|pattern| pattern.to_string().into()).chain(CLASSES.map(Cow::Borrowed));
        let of = |host_class| self.time.get(&ByHost { host_class }).map(|durations| durations.snapshot());
        classes.filter_map(of).chain([Histogram::new(DOWNLOADS).snapshot()]).collect()
    }

    /// Records a download that has ended.
    fn record(&self, name: Option<String>, host_class: Cow<'static, str>, begun: Instant, end: &End<'_>) {
        let host = ByHost { host_class };
        let time = begun.elapsed();
        self.time.get_or_create(&host).observe(time);
        let (outcome, tally) = match end {
            End::Success(bytes) => {
                self.bytes.get_or_create(&host).inc_by(*bytes);
                ("success", Tally::Success(*bytes))
            }
            End::Failure(error) if is_abandoned(error, self.limiter.get()) => (ABANDONED, Tally::Abandoned),
            End::Failure(error) => (error.name(), Tally::Failure(error.name())),
            End::Abandoned => (ABANDONED, Tally::Abandoned),
        };
        if let Some(name) = name {
            self.table.count(name, time, tally);
        }
        self.ended.get_or_create(&Ended { outcome, host_class: host.host_class }).inc();
    }

    /// The class under which the host of a URL is counted. There are many hosts, but only a few classes.
    fn class(&self, url: &str) -> Cow<'static, str> {
        let Ok(url) = Url::parse(url) else { return OTHER.into() };
        if url.scheme() == "mxc" {
            return MATRIX.into();
        }
        let Some(host) = url.host() else { return OTHER.into() };
        match (self.hosts.iter().find(|pattern| pattern.matches(&host)), host) {
            (Some(pattern), _) => pattern.to_string().into(),
            (None, Host::Ipv4(_) | Host::Ipv6(_)) => ADDRESS.into(),
            (None, Host::Domain(_)) => OTHER.into(),
        }
    }
}

/// The host of a URL.
fn host_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use media_cache::{Spool, SpooledBody};
    use media_cache_http_downloader::LimiterOptions;

    use super::*;

    fn downloads() -> Downloads {
        Downloads::register(&mut Registry::default(), Vec::new())
    }

    /// How many downloads ended like this.
    fn count(downloads: &Downloads, outcome: &'static str) -> u64 {
        downloads.ended.get_or_create(&Ended { outcome, host_class: "other".into() }).get()
    }

    async fn measure(downloads: &Downloads, download: impl Future<Output = Result<Blob, FetchError>>) {
        let _ = downloads.measure("https://example.org/a", download, |body: &Blob| Some(body)).await;
    }

    #[tokio::test]
    async fn download_that_is_no_longer_needed_counts_as_abandoned_and_not_as_failed() {
        let downloads = downloads();
        let waits = measure(&downloads, std::future::pending());
        assert!(waits.now_or_never().is_none(), "the download is dropped");
        assert_eq!(count(&downloads, "abandoned"), 1);
        // The writer of a body is dropped when its readers are gone.
        let (body, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
        measure(&downloads, async { Ok(body) }).await;
        drop(writer);
        while downloads.in_progress.get() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((count(&downloads, "abandoned"), count(&downloads, "other")), (2, 0));
        let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
        downloads.watch(limiter.clone());
        let overloaded = || async { Err(FetchError::Overloaded(None)) };
        measure(&downloads, overloaded()).await;
        assert_eq!((count(&downloads, "abandoned"), count(&downloads, "overloaded")), (2, 1));
        limiter.close();
        measure(&downloads, overloaded()).await;
        assert_eq!((count(&downloads, "abandoned"), count(&downloads, "overloaded")), (3, 1));
    }

    #[tokio::test]
    async fn a_body_that_fails_while_it_arrives_is_counted_once_by_its_failure() {
        let downloads = downloads();
        let (body, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
        let kept = body.clone();
        measure(&downloads, async { Ok(body) }).await;
        assert_eq!(downloads.in_progress.get(), 1);
        writer.fail(FetchError::ShortBody("the connection was closed".into()));
        drop(kept);
        while downloads.in_progress.get() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((count(&downloads, "short-body"), count(&downloads, "abandoned")), (1, 0));
    }

    #[test]
    fn a_host_is_counted_under_the_first_pattern_that_matches_it() {
        let hosts = ["cdn.example.org", "*.example.org", "*.example.net", "192.0.2.1"].map(|pattern| pattern.parse().unwrap());
        let downloads = Downloads::register(&mut Registry::default(), hosts.into());
        for (url, class) in [
            ("https://CDN.example.org:8443/a", "cdn.example.org"),
            ("https://a.example.org./a", "*.example.org"),
            ("http://a.b.example.net", "*.example.net"),
            ("http://example.net", "other"),
            ("http://192.0.2.1/", "192.0.2.1"),
            ("http://192.0.2.2/", "address"),
            ("http://[2001:db8::1]/", "address"),
            ("mxc://cdn.example.org/id", "matrix"),
            ("cdn.example.org", "other"),
            ("data:cdn.example.org", "other"),
        ] {
            assert_eq!(downloads.class(url), class, "{url}");
        }
    }
}
