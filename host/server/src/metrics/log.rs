//! Metrics of the log.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::logs::LossyWriter;
use crate::metrics::encode::Encode;

/// The log writer, whose counters are read at each scrape.
pub(crate) struct LogMetrics(pub LossyWriter);

impl Collector for LogMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let lost = self.0.lost();
        let help = "Log lines that were lost because the log was read too slowly or they could not be written";
        encoder.counters("log_lines_lost", help, "reason", &[("queue-full", lost.queue_full), ("write-failed", lost.write_failed)])
    }
}

impl fmt::Debug for LogMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lost().fmt(f)
    }
}
