//! Metrics of connections from clients: how many are open, were refused, and ended in which way.

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
        encoder.gauge("connections", "Connections that are being served", stats.open)?;
        encoder.counter("connections_accepted", "Connections that were served, or are", stats.accepted)?;
        let refused = [("limit", stats.refused), ("limit-per-address", stats.refused_by_address)];
        let help = "Connections that were refused because there were too many, or too many from the same address";
        encoder.counters("connections_refused", help, "reason", &refused)?;
        let ended = stats.ended.map(|(ending, count)| (ending.name(), count));
        encoder.counters("connections_ended", "Connections that ended, by how they did", "ending", &ended)
    }
}

impl fmt::Debug for ConnectionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.stats().fmt(f)
    }
}
