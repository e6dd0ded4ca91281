//! Metrics of the concurrency limiter of downloads and its wait queue.

use std::fmt;

use media_cache_http_downloader::ConcurrencyLimiter;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;

/// A concurrency limiter, whose counters are read at each scrape.
pub(crate) struct QueueMetrics(pub ConcurrencyLimiter);

impl Collector for QueueMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        encoder.gauge(
            "download_permits_in_use",
            "Downloads that hold a permit from the concurrency limiter",
            counts.active as u64,
        )?;
        encoder.gauge("wait_queue_length", "Downloads waiting for a permit", counts.queued as u64)?;
        let of_groups = [
            ("wait_queue_for_host", "Downloads waiting for other downloads from the same host", counts.queued_for_host),
            (
                "wait_queue_for_domain",
                "Downloads waiting for other downloads from the same registrable domain",
                counts.queued_for_domain,
            ),
            (
                "wait_queue_for_address",
                "Downloads waiting for other downloads that are connected to the same address",
                counts.queued_for_address,
            ),
        ];
        for (name, help, queued) in of_groups {
            encoder.gauge(name, help, queued as u64)?;
        }
        encoder.counter(
            "wait_queue_rejections",
            "Downloads rejected because the wait queue was full or they had waited too long",
            counts.refused,
        )
    }
}

impl fmt::Debug for QueueMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.counts().fmt(f)
    }
}
