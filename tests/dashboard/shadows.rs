//! A report on shadow policies with fixed figures.

use media_cache_server::ShadowReport;
use serde_json::{Value, json};

/// Reports [`document`].
pub struct FixedReport;

impl ShadowReport for FixedReport {
    fn document(&self) -> Value {
        document()
    }
}

/// A number that is the same after it was written and parsed.
fn rounded(ratio: f64) -> f64 {
    (ratio * 1e4).round() / 1e4
}

/// Miss ratios that fall with the capacity, each policy by a constant lower than the one before.
pub fn document() -> Value {
    let capacities: Vec<Value> =
        [0.25, 0.5, 1.0, 2.0, 4.0].map(|factor| json!({ "factor": factor, "bytes": (factor * 500e6) as u64 })).into();
    let point = |at: usize, better: f64, error: Option<f64>| {
        let ratio = rounded([0.62, 0.47, 0.33, 0.22, 0.15][at] * better);
        json!({
            "factor": capacities[at]["factor"], "capacity_bytes": capacities[at]["bytes"],
            "misses": (ratio * 24_000.0).round(), "object_miss_ratio": ratio, "object_miss_ratio_error": error,
            "byte_miss_ratio": rounded(ratio * 1.18), "byte_miss_ratio_error": error, "missed_wait_ms": 1.0,
            "objective": ratio, "objective_error": error,
        })
    };
    let points = |better, error| (0..5).map(|at| point(at, better, error)).collect::<Vec<_>>();
    let shadow = |policy: &str, better, is_active, error| json!({ "policy": policy, "state": "counting", "why": null, "memory_bytes": 1_234_567, "is_active": is_active, "points": points(better, error) });
    json!({
        "enabled": true, "why_not": null, "objective": "requests",
        "allowance": { "memory_bytes": 67_108_864, "cpu_percent": 2.0 },
        "used": { "memory_bytes": 12_345_678, "cpu_percent": 0.4, "cpu_seconds": 12.3 },
        "sampling": { "rate": 0.25, "changes": 1, "lost_requests": 0, "notes": ["The rate was lowered once to stay within the memory."] },
        "window": { "number": 7, "requests": 1200, "target": 4000, "since": 1_795_800_000.0 },
        "span": { "windows": 6, "requests": 24_000, "requested_bytes": 1_234_567_890, "seconds": 3600.0, "since": 1_795_796_400.0 },
        "live": { "policy": "lru", "capacity_bytes": 500_000_000, "entries": 1234, "misses": 7920, "missed_bytes": 1,
                  "missed_wait_ms": 12_345, "object_miss_ratio": 0.33, "byte_miss_ratio": 0.389, "objective": 0.33 },
        "capacities": capacities,
        "bound": points(0.55, None),
        "shadows": [
            shadow("lru", 1.0, true, None), shadow("sieve", 0.93, false, Some(0.004)), shadow("s3-fifo", 0.9, false, Some(0.005)),
            shadow("gdsf:beta=0.5", 0.78, false, Some(0.004)), shadow("w-tinylfu", 0.86, false, Some(0.006)),
            { "policy": "gdsf", "state": "dropped", "why": "it needed more memory than is allowed", "memory_bytes": 0, "is_active": false, "points": [] },
        ],
        "advice": { "policy": "gdsf:beta=0.5", "gain": 0.24, "gain_error": 0.02, "seconds": 21_600.0,
                    "text": "gdsf:beta=0.5 would have missed 22 % fewer requests (±2) in the last hour", "command": "media-cache policy swap gdsf:beta=0.5" },
        "auto": null,
    })
}
