//! What a service measures, for Prometheus.
//!
//! Three kinds of numbers, which differ in who keeps them: those that are recorded as things happen (requests, downloads,
//! transcoding), those that the cache counts for itself and is asked for at each scrape, and those of the process, which the system
//! knows. `docs/metrics.md` lists them all.
//!
//! Names follow Prometheus's conventions: a prefix, base units, `_total` for what only goes up. No label has a value that a stranger
//! chooses, so that there are as many time series as can be foreseen: routes and outcomes are a fixed few, and a host is counted
//! under a class.

mod cache;
mod connections;
mod downloads;
mod durations;
mod encode;
mod exposition;
mod process;
mod queue;
mod requests;
mod transcodes;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::cache::MediaCache;
use crate::download::{DownloadQueue, HostPattern};
use crate::service::Connections;
pub(crate) use durations::{Durations, POLICY_CALLS};
pub use exposition::Format;
pub(crate) use requests::{Outcome, Requests, method_name};

/// What all names of ours begin with.
const PREFIX: &str = "media_cache";

/// Measurements of one service. Clones are the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Requests,
    downloads: downloads::Downloads,
    transcodes: transcodes::Transcodes,
    cache: Arc<cache::Cache>,
    ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Metrics {
    /// Nothing is measured yet. Downloads from `hosts` are counted by pattern, the first that means a host, and others by what kind
    /// of host it is. The start of the process is taken to be now.
    #[must_use]
    pub fn new(hosts: Vec<HostPattern>) -> Self {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix(PREFIX);
        ours.register("build", "The version of the program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let requests = Requests::register(ours);
        let downloads = downloads::Downloads::register(ours, hosts);
        let transcodes = transcodes::Transcodes::register(ours);
        let ready = Gauge::default();
        ours.register("ready", "Whether the cache is loaded and serves: 1 if so, else 0", ready.clone());
        let cache = Arc::new(cache::Cache::default());
        ours.register_collector(Box::new(cache.clone()));
        registry.register_collector(Box::new(process::Process::starting()));
        Self(Arc::new(Inner { registry: Mutex::new(registry), requests, downloads, transcodes, cache, ready }))
    }

    /// All there is, as text.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let mut written = String::new();
        let outcome: fmt::Result = text::encode(&mut written, &self.registry());
        // Only what is written to can fail, and a string does not.
        debug_assert!(outcome.is_ok());
        match format {
            Format::OpenMetrics => written,
            Format::Classic => exposition::classic(&written),
        }
    }

    /// Asks the cache, if it is loaded, for what it counts, which is told from then on until the next time. What a cache that does not
    /// answer any more said last is told still.
    pub async fn ask(&self, cache: Option<&MediaCache>) {
        let answered = match cache {
            Some(cache) => cache.status().await.map(|status| (status, cache)).ok(),
            None => None,
        };
        self.0.ready.set(answered.is_some().into());
        if let Some((status, cache)) = answered {
            let record = &cache.0.swapper.record;
            self.0.cache.note(status, record.all_calls(), record.all_rejected());
        }
    }

    /// What downloads or transcodes, measured.
    #[must_use]
    pub fn measured<T: ?Sized>(&self, inner: Arc<T>) -> Measured<T> {
        Measured { inner, metrics: self.clone() }
    }

    /// Tells of connections from now on, too.
    pub fn watch_connections(&self, connections: Connections) {
        let collector = Box::new(connections::Clients(connections));
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(collector);
    }

    /// Tells of the queue of downloads from now on, too.
    pub fn watch_queue(&self, queue: DownloadQueue) {
        self.registry().sub_registry_with_prefix(PREFIX).register_collector(Box::new(queue::Queue(queue)));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.0.requests
    }
}

/// A [`Downloader`](crate::download::Downloader) or [`Transcoder`](crate::transcode::Transcoder) that is measured, and otherwise does
/// as the one within.
pub struct Measured<T: ?Sized> {
    inner: Arc<T>,
    metrics: Metrics,
}

/// Something under way, until it is dropped.
struct InProgress<'a>(&'a Gauge);

impl<'a> InProgress<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
