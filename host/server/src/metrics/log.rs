//! Metrics of the log.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::logs::LossyWriter;
use crate::metrics::encode::Encode;

/// The writer of the log, read at each scrape.
pub(crate) struct LogMetrics(pub LossyWriter);

impl Collector for LogMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let lost = self.0.lost();
        let help = "Lines of the log that were lost, because it was read too slowly or because they could not be written";
        encoder.counters("log_lines_lost", help, "reason", &[("queue-full", lost.queue_full), ("write-failed", lost.write_failed)])
    }
}

impl fmt::Debug for LogMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lost().fmt(f)
    }
}
