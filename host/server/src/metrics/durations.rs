//! Histograms of durations as metrics, and their bounds.
//!
//! They wrap the lock-free [`Histogram`] of the library. The histogram of `prometheus_client` takes a lock, and waiting for a contended
//! lock takes longer than a hit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use media_cache::{Histogram, HistogramSnapshot};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Bounds for the time until a response begins: from hits, which take microseconds, to downloads, which may take minutes.
pub(crate) const RESPONSES: &[Duration] = &[
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// Bounds for downloads: from a nearby origin to one that barely stays within the limits.
pub(crate) const DOWNLOADS: &[Duration] = &[
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
];

/// Bounds for transcoding, which is limited to ten seconds by default.
pub(crate) const TRANSCODES: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// A histogram of durations as a metric. Clones share the histogram.
#[derive(Clone, Debug)]
pub(crate) struct Durations(Arc<Histogram>);

/// A [`HistogramSnapshot`] as a metric.
#[derive(Debug)]
pub(crate) struct DurationsSnapshot<'a>(pub &'a HistogramSnapshot);

impl Durations {
    /// An empty histogram with these upper bounds.
    pub fn new(bounds: &'static [Duration]) -> Self {
        Self(Arc::new(Histogram::new(bounds)))
    }

    /// Adds a duration.
    pub fn observe(&self, time: Duration) {
        self.0.observe(time);
    }

    /// The current content.
    pub fn snapshot(&self) -> HistogramSnapshot {
        self.0.snapshot()
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, encoder: MetricEncoder) -> fmt::Result {
        DurationsSnapshot(&self.0.snapshot()).encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl EncodeMetric for DurationsSnapshot<'_> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let HistogramSnapshot { buckets, sum } = self.0;
        let seconds = |bound: &Option<Duration>| bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64());
        let buckets: Vec<(f64, u64)> = buckets.iter().map(|(bound, count)| (seconds(bound), *count)).collect();
        // The count is the sum of the same numbers, so that it equals the last cumulative bucket.
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;

    #[test]
    fn buckets_are_encoded_cumulatively_and_in_seconds() {
        const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_secs(2)];
        let durations = Durations::new(BOUNDS);
        for time in [0, 1_000_000, 1_000_001, 2_000_000_000, 2_000_000_001] {
            durations.observe(Duration::from_nanos(time));
        }
        let mut registry = Registry::default();
        registry.register("waits", "Waits", durations);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "waits_sum 4.002000002",
                "waits_count 5",
                "waits_bucket{le=\"0.001\"} 2",
                "waits_bucket{le=\"2.0\"} 4",
                "waits_bucket{le=\"+Inf\"} 5"
            ]
        );
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [RESPONSES, DOWNLOADS, TRANSCODES] {
            assert!(bounds.is_sorted_by(|one, next| one < next));
        }
    }
}
