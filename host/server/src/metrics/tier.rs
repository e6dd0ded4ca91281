//! Metrics of the second tier, which are read at each scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::durations::DurationsSnapshot;
use crate::metrics::encode::Encode;
use crate::second_tier::SecondTier;

/// The second tier, whose counters are read at each scrape.
pub(crate) struct TierMetrics(pub Arc<dyn SecondTier>);

impl Collector for TierMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let report = self.0.report();
        let available = [("read", i64::from(report.read_outage.is_none())), ("write", i64::from(report.write_outage.is_none()))];
        let help = "Whether the second tier can be used: 1 if so, else 0, by operation";
        encoder.gauges("tier_available", help, "operation", &available)?;
        encoder.counters("tier_lookups", "Lookups in the second tier, by outcome", "outcome", &report.lookups)?;
        let help = "Time until a lookup in the second tier has its result and all bytes of the media";
        encoder.histogram("tier_lookup_seconds", help, DurationsSnapshot(&report.lookup_durations))?;
        encoder.counter("tier_received_bytes", "Bytes of media from the second tier", report.received_bytes)?;
        encoder.counters("tier_uploads", "Uploads to the second tier, by outcome", "outcome", &report.uploads)?;
        encoder.counter("tier_sent_bytes", "Bytes of media uploaded to the second tier", report.sent_bytes)?;
        let help = "Entries that wait to be uploaded to the second tier or are being uploaded";
        encoder.gauge("tier_queued_uploads", help, report.queued)?;
        encoder.counters("tier_leases", "Requests for leases in the second tier, by outcome", "outcome", &report.leases)
    }
}

impl fmt::Debug for TierMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.report().fmt(f)
    }
}
