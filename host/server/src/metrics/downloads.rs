//! Metrics of downloads, by class of host: how many, how they ended, their size and duration.

use std::borrow::Cow;
use std::time::Instant;

use media_cache::FetchError;
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

pub(crate) struct Downloads {
    ended: Family<Ended, Counter>,
    bytes: Family<ByHost, Counter>,
    time: Family<ByHost, Durations>,
    in_progress: Gauge,
    hosts: Vec<HostPattern>,
}

impl Downloads {
    pub fn register(registry: &mut Registry, hosts: Vec<HostPattern>) -> Self {
        let downloads = Self {
            ended: Family::default(),
            bytes: Family::default(),
            time: Family::new_with_constructor(|| Durations::new(DOWNLOADS)),
            in_progress: Gauge::default(),
            hosts,
        };
        registry.register("downloads", "Downloads that ended, by how they did", downloads.ended.clone());
        registry.register("downloaded_bytes", "Bytes of media that downloads brought which succeeded", downloads.bytes.clone());
        registry.register(
            "download_seconds",
            "Time that downloads took, however they ended; waiting for a turn and further attempts included",
            downloads.time.clone(),
        );
        registry.register("downloads_in_progress", "Downloads that are under way", downloads.in_progress.clone());
        downloads
    }

    /// Measures a download of a URL, and records the outcome. `bytes` are those of the media, if it was sent.
    pub async fn measure<T>(
        &self,
        url: &str,
        download: impl Future<Output = Result<T, FetchError>>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, FetchError> {
        let _in_progress = InProgress::new(&self.in_progress);
        let begun = Instant::now();
        let fetched = download.await;
        let host = ByHost { host_class: self.class(url) };
        self.time.get_or_create(&host).observe(begun.elapsed());
        let outcome = match &fetched {
            Ok(fetched) => {
                self.bytes.get_or_create(&host).inc_by(bytes(fetched));
                "success"
            }
            Err(error) => error.name(),
        };
        self.ended.get_or_create(&Ended { outcome, host_class: host.host_class }).inc();
        fetched
    }

    /// The class that the host of a URL is counted under. Unlike hosts, there are few.
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
