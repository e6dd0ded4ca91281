//! Quantiles of the histograms of durations.

use std::time::Duration;

use media_cache::HistogramSnapshot;
use serde_json::{Value, json};

/// The number of durations.
pub(crate) fn count(histogram: &HistogramSnapshot) -> u64 {
    histogram.buckets.iter().map(|(_, count)| count).sum()
}

/// The mean. `None` if there are no durations.
pub(crate) fn mean(histogram: &HistogramSnapshot) -> Option<f64> {
    let count = count(histogram);
    (count > 0).then(|| histogram.sum.as_secs_f64() / count as f64)
}

/// The histogram of two sets of durations with the same bounds.
pub(crate) fn merged(one: HistogramSnapshot, other: &HistogramSnapshot) -> HistogramSnapshot {
    let both = one.buckets.iter().zip(&other.buckets);
    let buckets = both.map(|((bound, count), (_, more))| (*bound, count + more)).collect();
    HistogramSnapshot { buckets, sum: one.sum + other.sum }
}

/// A histogram as a JSON object: the number of durations, their mean, and quantiles in seconds. A quantile is the upper bound of its bucket;
/// null stands for no durations, and for a bucket without a bound.
pub(crate) fn document(name: &str, histogram: &HistogramSnapshot) -> Value {
    let quantile = |share: f64| quantile(histogram, share).map(|bound| bound.as_secs_f64());
    json!({
        "name": name,
        "count": count(histogram),
        "mean": mean(histogram),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
    })
}

/// The upper bound of the bucket that contains a quantile.
fn quantile(histogram: &HistogramSnapshot, share: f64) -> Option<Duration> {
    let total = count(histogram);
    let rank = ((total as f64 * share).ceil() as u64).max(1);
    let mut below = 0;
    let bucket = histogram.buckets.iter().find(|(_, count)| {
        below += count;
        below >= rank
    });
    bucket.and_then(|(bound, _)| *bound)
}

#[cfg(test)]
mod tests {
    use media_cache::Histogram;

    use super::*;

    const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_millis(10), Duration::from_secs(1)];

    #[test]
    fn quantile_is_the_bound_of_its_bucket() {
        let histogram = Histogram::new(BOUNDS);
        assert_eq!(document("hit", &histogram.snapshot())["p50"], Value::Null);
        for _ in 0..90 {
            histogram.observe(Duration::from_micros(100));
        }
        for _ in 0..9 {
            histogram.observe(Duration::from_millis(5));
        }
        histogram.observe(Duration::from_secs(60));
        let told = document("hit", &histogram.snapshot());
        assert_eq!(
            (&told["count"], &told["p50"], &told["p90"], &told["p99"]),
            (&json!(100), &json!(0.001), &json!(0.001), &json!(0.01))
        );
        assert_eq!(document("hit", &merged(histogram.snapshot(), &histogram.snapshot()))["count"], 200);
    }
}
