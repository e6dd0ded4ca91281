//! A histogram of durations that is recorded without a lock: that of the client library has one, and a hit takes less time than two
//! threads that wait for each other.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Bounds for the time until an answer begins: from hits, which take microseconds, to downloads, which may take minutes.
pub(super) const ANSWERS: &[Duration] = &[
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

/// Bounds for downloads: an origin next door, or one that just keeps within the limits.
pub(super) const DOWNLOADS: &[Duration] = &[
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

/// Bounds for transcoding, which has ten seconds unless somebody set more.
pub(super) const TRANSCODES: &[Duration] = &[
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

/// Bounds for calls into a policy: most take less than a microsecond, and the default limit is a quarter of a second.
pub(crate) const POLICY_CALLS: &[Duration] = &[
    Duration::from_nanos(250),
    Duration::from_nanos(500),
    Duration::from_micros(1),
    Duration::from_nanos(2500),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// How many durations there were, by size, and their sum. Clones are the same.
#[derive(Clone)]
pub(crate) struct Durations(Arc<Counts>);

struct Counts {
    /// Upper bounds, ascending; a duration that equals one is within.
    bounds: &'static [Duration],
    /// One for each bound, and one for what is above them all.
    buckets: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Durations {
    /// None yet.
    pub fn new(bounds: &'static [Duration]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Counts { bounds, buckets, nanoseconds: AtomicU64::new(0) }))
    }

    /// Adds one.
    pub fn observe(&self, time: Duration) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < time);
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.0.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let bounds = self.0.bounds.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.0.buckets.iter().map(|bucket| bucket.load(Relaxed))).collect();
        // Counted from the same numbers, so that the last bucket is never another count than this, whoever records meanwhile.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let seconds = Duration::from_nanos(self.0.nanoseconds.load(Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.bounds.iter().zip(&self.0.buckets)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_not_below_it() {
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
        for bounds in [ANSWERS, DOWNLOADS, TRANSCODES, POLICY_CALLS] {
            assert!(bounds.is_sorted_by(|one, next| one < next));
        }
    }
}
