//! Metrics of connections to origins, which are reused for several requests.

use std::fmt;

use media_cache_http_downloader::OriginConnections;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;

/// Connections to origins, whose counters are read at each scrape.
pub(crate) struct OriginConnectionMetrics(pub OriginConnections);

impl Collector for OriginConnectionMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        encoder.gauge("origin_connections_idle", "Idle HTTP/1 connections to origins", counts.idle as u64)?;
        encoder.counter(
            "origin_requests_over_reused_connections",
            "HTTP/1 requests to origins that were answered over a reused connection",
            counts.reused,
        )?;
        encoder.counter(
            "origin_requests_sent_again",
            "HTTP/1 requests to origins that were sent again over a new connection because a reused one had failed",
            counts.retried,
        )
    }
}

impl fmt::Debug for OriginConnectionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.counts().fmt(f)
    }
}
