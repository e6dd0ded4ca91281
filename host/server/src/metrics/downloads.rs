//! Metrics of downloads, by class of host: how many, how they ended, their size and duration.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use media_cache::{Blob, FetchError};
use media_cache_http_downloader::HostPattern;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use url::{Host, Url};

use crate::metrics::durations::{DOWNLOADS, Durations};
use crate::metrics::in_progress::InProgress;

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
}

impl Downloads {
    pub fn register(registry: &mut Registry, hosts: Vec<HostPattern>) -> Self {
        let downloads = Self {
            ended: Family::default(),
            bytes: Family::default(),
            time: Family::new_with_constructor(|| Durations::new(DOWNLOADS)),
            in_progress: Gauge::default(),
            hosts: hosts.into(),
        };
        registry.register("downloads", "Downloads that have ended, by outcome", downloads.ended.clone());
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
        let in_progress = InProgress::new(&self.in_progress);
        let begun = Instant::now();
        let fetched = download.await;
        // A body that was arriving may have failed by now.
        let failed = fetched.as_ref().ok().and_then(|fetched| body(fetched)?.failure());
        let ended = match fetched.as_ref().map(body) {
            Ok(_) if failed.is_some() => failed.as_ref().map_or(Ok(0), Err),
            Ok(body) => match body.and_then(Blob::completion) {
                Some(completion) => {
                    let (ended, host_class) = (self.clone(), self.class(url));
                    tokio::spawn(async move {
                        ended.record(host_class, begun, completion.wait().await.as_ref().copied());
                        drop(in_progress);
                    });
                    return fetched;
                }
                None => Ok(body.map_or(0, Blob::len)),
            },
            Err(error) => Err(error),
        };
        self.record(self.class(url), begun, ended);
        fetched
    }

    /// Records a download that has ended, with a number of bytes or a failure.
    fn record(&self, host_class: Cow<'static, str>, begun: Instant, ended: Result<u64, &FetchError>) {
        let host = ByHost { host_class };
        self.time.get_or_create(&host).observe(begun.elapsed());
        let outcome = match ended {
            Ok(bytes) => {
                self.bytes.get_or_create(&host).inc_by(bytes);
                "success"
            }
            Err(error) => error.name(),
        };
        self.ended.get_or_create(&Ended { outcome, host_class: host.host_class }).inc();
    }

    /// The class under which the host of a URL is counted. There are many hosts, but only a few classes.
    fn class(&self, url: &str) -> Cow<'static, str> {
        let Ok(url) = Url::parse(url) else { return "other".into() };
        if url.scheme() == "mxc" {
            return "matrix".into();
        }
        let Some(host) = url.host() else { return "other".into() };
        match (self.hosts.iter().find(|pattern| pattern.matches(&host)), host) {
            (Some(pattern), _) => pattern.to_string().into(),
            (None, Host::Ipv4(_) | Host::Ipv6(_)) => "address".into(),
            (None, Host::Domain(_)) => "other".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
