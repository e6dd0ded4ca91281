//! A generated trace, the same in every run.

use media_cache_test_support::random::Random;

/// Requests as pairs of key and size: a few keys get most of the requests, sizes range from 1 to several thousand, popularity shifts over
/// time, and occasionally a key is requested only once. Some objects change their size.
pub fn requests(count: u64, seed: u64) -> Vec<(u64, u64)> {
    let mut random = Random(seed);
    let request = |at: u64| {
        if random.below(8) == 0 {
            return (1_000_000 + at, 1 + random.below(800));
        }
        let spread = random.below(1000) as f64 / 1000.0;
        let key = (spread.powi(4) * 600.0) as u64 + at / 2000 * 40;
        let version = if key.is_multiple_of(7) { at / 500 } else { 0 };
        let size = 1 + (key * 7919 + version * 104_729) % 61 * ((key * 31) % 53);
        (key, size)
    };
    (0..count).map(request).collect()
}

/// The same as the text of a trace.
pub fn csv(requests: &[(u64, u64)]) -> String {
    requests.iter().enumerate().map(|(at, (key, size))| format!("{at},{key},{size}\n")).collect()
}
