//! A lock-free histogram of durations.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts durations by size, and sums them.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds, ascending and inclusive.
    bounds: &'static [Duration],
    /// A count for each bound, and one for durations above all bounds.
    buckets: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

/// The content of a [`Histogram`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// The number of durations up to each bound and above the previous one. The last bucket has no bound, and counts the durations above
    /// all bounds.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// The sum of all durations.
    pub sum: Duration,
}

impl Histogram {
    /// An empty histogram with these inclusive upper bounds, which must be ascending.
    #[must_use]
    pub fn new(bounds: &'static [Duration]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, nanoseconds: AtomicU64::new(0) }
    }

    /// Adds a duration.
    pub fn observe(&self, time: Duration) {
        let bucket = self.bounds.partition_point(|bound| *bound < time);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The current content.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let buckets = bounds.zip(self.buckets.iter().map(|bucket| bucket.load(Relaxed))).collect();
        HistogramSnapshot { buckets, sum: Duration::from_nanos(self.nanoseconds.load(Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_secs(2)];
        let histogram = Histogram::new(BOUNDS);
        for time in [0, 1_000_000, 1_000_001, 2_000_000_000, 2_000_000_001] {
            histogram.observe(Duration::from_nanos(time));
        }
        let HistogramSnapshot { buckets, sum } = histogram.snapshot();
        assert_eq!(buckets, [(Some(BOUNDS[0]), 2), (Some(BOUNDS[1]), 2), (None, 1)]);
        assert_eq!(sum, Duration::from_nanos(4_002_000_002));
    }
}
