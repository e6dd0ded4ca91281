//! The hours in which entries were used.

use std::time::{Duration, SystemTime};

use indicatif::HumanDuration;

/// Seconds since 1970 at the start of an hour.
pub fn seconds(hour: u64) -> u64 {
    hour * 3600
}

/// How long ago an hour was, for people.
pub fn ago(hour: u64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(hour));
    let since = SystemTime::now().duration_since(then).unwrap_or_default();
    match since.as_secs() / 3600 {
        0 => "this hour".into(),
        _ => format!("{} ago", HumanDuration(Duration::from_secs(since.as_secs() / 3600 * 3600))),
    }
}
