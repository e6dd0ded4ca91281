//! Metrics of the queue of downloads: how many are active, wait, and were refused.

use std::fmt;

use media_cache_http_downloader::ConcurrencyLimiter;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;

/// A limiter, read at each scrape.
pub(crate) struct QueueMetrics(pub ConcurrencyLimiter);

impl Collector for QueueMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        encoder.gauge("queue_under_way", "Downloads that have a turn", counts.active as u64)?;
        encoder.gauge("queue_waiting", "Downloads that wait for a turn", counts.queued as u64)?;
        encoder.counter("queue_refused", "Downloads that were sent away because too many waited", counts.refused)
    }
}

impl fmt::Debug for QueueMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.counts().fmt(f)
    }
}
