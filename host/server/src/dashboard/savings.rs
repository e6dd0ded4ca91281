//! What the cache has saved since the service started.
//!
//! The requests and the bytes are counted: without the cache, each hit would have been a request to an origin, and its bytes would have come
//! from there. The waiting time is an estimate: a hit is assumed to take as long without the cache as the average miss.

use media_cache::HistogramSnapshot;
use serde_json::{Value, json};

use crate::dashboard::latencies::{count, mean};
use crate::metrics::requests::{FirstBytes, MediaCounts};

/// The savings as a JSON object. The waiting time is null until there was a miss.
pub(crate) fn document(counts: &MediaCounts, first_bytes: &FirstBytes) -> Value {
    let MediaCounts { requests: [memory, disk, _], bytes: [memory_bytes, disk_bytes, _] } = counts;
    json!({
        "requests": memory + disk,
        "bytes": memory_bytes + disk_bytes,
        "waiting_seconds": waiting_seconds(&[&first_bytes.memory, &first_bytes.disk], &first_bytes.misses),
        "mean_miss_seconds": mean(&first_bytes.misses),
    })
}

/// How much longer the hits would have taken as misses. Never negative.
fn waiting_seconds(hits: &[&HistogramSnapshot], misses: &HistogramSnapshot) -> Option<f64> {
    let mean_miss = mean(misses)?;
    let saved = |hits: &&HistogramSnapshot| count(hits) as f64 * mean_miss - hits.sum.as_secs_f64();
    Some(hits.iter().map(saved).sum::<f64>().max(0.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_cache::Histogram;

    use super::*;

    fn histogram(times: &[u64]) -> HistogramSnapshot {
        const BOUNDS: &[Duration] = &[Duration::from_secs(1)];
        let histogram = Histogram::new(BOUNDS);
        times.iter().for_each(|time| histogram.observe(Duration::from_millis(*time)));
        histogram.snapshot()
    }

    #[test]
    fn hit_saves_the_time_of_an_average_miss() {
        let (memory, disk) = (histogram(&[1, 1]), histogram(&[8]));
        assert_eq!(waiting_seconds(&[&memory, &disk], &histogram(&[])), None);
        let saved = waiting_seconds(&[&memory, &disk], &histogram(&[100, 300])).unwrap();
        assert!((saved - 0.59).abs() < 1e-9, "{saved}");
        assert_eq!(waiting_seconds(&[&histogram(&[900])], &histogram(&[100])), Some(0.0));
    }
}
