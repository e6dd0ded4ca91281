//! Times in documents and metrics.

use std::time::{Duration, SystemTime};

/// Seconds since 1970, to the millisecond.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as f64 / 1000.0
}
