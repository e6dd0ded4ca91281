//! Times of files as the component sees them.

/// A time of a file in nanoseconds since 1970. Times before 1970 become 0.
pub(crate) fn file_time(seconds: i64, nanoseconds: u64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
