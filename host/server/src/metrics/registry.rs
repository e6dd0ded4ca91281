//! All metrics of a service, and their text form.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media_cache::MediaCache;
use media_cache_http_downloader::{ConcurrencyLimiter, HostPattern, OriginConnections};
use prometheus_client::encoding::text;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::connections::counters::Connections;
use crate::connections::tls::SharedTls;
use crate::health_document::state;
use crate::logs::LossyWriter;
use crate::metrics::cache::CacheMetrics;
use crate::metrics::certificate::CertificateMetrics;
use crate::metrics::connections::ConnectionMetrics;
use crate::metrics::downloads::Downloads;
use crate::metrics::driver::DriverMetrics;
use crate::metrics::exposition::{self, Format};
use crate::metrics::health::HealthMetrics;
use crate::metrics::integrity::IntegrityMetrics;
use crate::metrics::log::LogMetrics;
use crate::metrics::origin_connections::OriginConnectionMetrics;
use crate::metrics::process::Process;
use crate::metrics::queue::QueueMetrics;
use crate::metrics::requests::Requests;
use crate::metrics::spans::SpanMetrics;
use crate::metrics::tier::TierMetrics;
use crate::metrics::transcodes::Transcodes;
use crate::second_tier::SecondTier;
use crate::span_counts::SpanCounts;

/// The prefix of all names except those of the process.
const PREFIX: &str = "media_cache";

/// The metrics of a service. Clones share the metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Requests,
    downloads: Downloads,
    transcodes: Transcodes,
    cache: Arc<CacheMetrics>,
    health: Arc<HealthMetrics>,
    driver: Arc<DriverMetrics>,
    integrity: Arc<IntegrityMetrics>,
    ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Metrics {
    /// Creates metrics without any measurements. Downloads are counted under the first pattern in `hosts` that matches their host, and
    /// otherwise under a class of hosts. The time of this call counts as the start of the process.
    #[must_use]
    pub fn new(hosts: Vec<HostPattern>) -> Self {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix(PREFIX);
        ours.register("build", "The version of the program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let requests = Requests::register(ours);
        let downloads = Downloads::register(ours, hosts);
        let transcodes = Transcodes::register(ours);
        let ready = Gauge::default();
        ours.register("ready", "Whether the cache is loaded and serves requests: 1 if so, else 0", ready.clone());
        let cache = Arc::new(CacheMetrics::default());
        ours.register_collector(Box::new(cache.clone()));
        let health = Arc::new(HealthMetrics::default());
        ours.register_collector(Box::new(health.clone()));
        let driver = Arc::new(DriverMetrics::default());
        ours.register_collector(Box::new(driver.clone()));
        let integrity = Arc::new(IntegrityMetrics::default());
        ours.register_collector(Box::new(integrity.clone()));
        registry.register_collector(Box::new(Process::starting()));
        let registry = Mutex::new(registry);
        Self(Arc::new(Inner { registry, requests, downloads, transcodes, cache, health, driver, integrity, ready }))
    }

    /// All metrics as text.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let mut written = String::new();
        let outcome: fmt::Result = text::encode(&mut written, &self.registry());
        // Writing to a string cannot fail.
        debug_assert!(outcome.is_ok());
        match format {
            Format::OpenMetrics => written,
            Format::Classic => exposition::classic(&written),
        }
    }

    /// Reads the counters of the cache, if it is loaded. They are reported until the next refresh, and for longer if the cache does not
    /// respond to that refresh.
    pub async fn refresh(&self, cache: Option<&MediaCache>) {
        let health = match cache {
            Some(cache) => Some((cache, cache.health().await)),
            None => None,
        };
        let status = match cache {
            Some(cache) => cache.status().await.map(|status| (status, cache.policy_totals())).ok(),
            None => None,
        };
        self.0.ready.set(status.is_some().into());
        if let Some(cache) = cache {
            self.0.driver.update(cache.driver_slices());
        }
        if let Some((cache, Ok(health))) = health {
            self.0.health.update(state(&health), cache);
            self.0.integrity.update(cache.integrity());
        }
        if let Some((status, policy_totals)) = status {
            self.0.cache.update(status, policy_totals);
        }
    }

    /// Adds the metrics of these connections.
    pub fn watch_connections(&self, connections: Connections) {
        let collector = Box::new(ConnectionMetrics(connections));
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(collector);
    }

    /// Adds the metrics of the wait queue of a concurrency limiter.
    pub fn watch_queue(&self, limiter: ConcurrencyLimiter) {
        self.downloads().watch(limiter.clone());
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(QueueMetrics(limiter)));
    }

    /// Adds the metrics of connections to origins.
    pub fn watch_origin_connections(&self, connections: OriginConnections) {
        let collector = Box::new(OriginConnectionMetrics(connections));
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(collector);
    }

    /// Adds the metrics of the certificate of the service.
    pub fn watch_certificate(&self, tls: SharedTls) {
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(CertificateMetrics(tls)));
    }

    /// Adds the metrics of the second tier.
    pub fn watch_tier(&self, tier: Arc<dyn SecondTier>) {
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(TierMetrics(tier)));
    }

    /// Adds the numbers of spans.
    pub fn watch_spans(&self, spans: Arc<dyn SpanCounts>) {
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(SpanMetrics(spans)));
    }

    /// Adds the numbers of lost log lines.
    pub fn watch_log(&self, log: LossyWriter) {
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(LogMetrics(log)));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.0.requests
    }

    pub(crate) fn downloads(&self) -> &Downloads {
        &self.0.downloads
    }

    pub(crate) fn transcodes(&self) -> &Transcodes {
        &self.0.transcodes
    }
}
