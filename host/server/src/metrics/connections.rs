//! Metrics of connections from clients: how many are open, how many were refused, and how they ended.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::connections::counters::Connections;
use crate::metrics::encode::Encode;

/// The counters of connections, read at each scrape.
pub(crate) struct ConnectionMetrics(pub Connections);

impl Collector for ConnectionMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stats = self.0.stats();
        encoder.gauge("connections", "Connections from clients that are being served", stats.open)?;
        encoder.counter(
            "connections_accepted",
            "Connections from clients that have been served, including open ones",
            stats.accepted,
        )?;
        let refused = [("limit", stats.refused), ("limit-per-address", stats.refused_by_address)];
        let help = "Connections, and concurrent HTTP/2 requests, that were refused because there were too many, in total or from the same address";
        encoder.counters("connections_refused", help, "reason", &refused)?;
        let ended = stats.ended.map(|(ending, count)| (ending.name(), count));
        encoder.counters("connections_ended", "Connections that have ended, by how they ended", "ending", &ended)
    }
}

impl fmt::Debug for ConnectionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.stats().fmt(f)
    }
}
