//! Metrics of the spans that are sent to a collector, which are read at each scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;
use crate::span_counts::SpanCounts;

/// The counts of spans.
pub(crate) struct SpanMetrics(pub Arc<dyn SpanCounts>);

impl Collector for SpanMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let report = self.0.report();
        let outcomes = [("sent", report.sent), ("failed", report.failed), ("dropped", report.dropped)];
        let help = "Spans of traced requests, by outcome: sent to the collector, failed to be sent, or dropped since too many were waiting";
        encoder.counters("spans", help, "outcome", &outcomes)
    }
}

impl fmt::Debug for SpanMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.report().fmt(f)
    }
}
