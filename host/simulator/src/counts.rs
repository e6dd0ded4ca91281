//! The counters of a replay.

use std::iter::Sum;

/// Requests, misses, writes and evictions of a replay so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests replayed.
    pub requests: u64,
    /// Sum of their sizes.
    pub requested_bytes: u64,
    /// Requests for objects that were not stored.
    pub object_misses: u64,
    /// Sum of the sizes of these requests.
    pub missed_bytes: u64,
    /// Sum of the times, in milliseconds, that clients would have waited for the objects that were missed. 0 if no costs are known.
    pub missed_wait: u64,
    /// Sum of the sizes of the objects stored.
    pub bytes_written: u64,
    /// Stored objects that were evicted.
    pub evictions: u64,
    /// Victims named by the policy that were not stored, or that it named twice.
    pub rejected_ids: u64,
    /// Evictions that were needed to make room, but that the policy did not name.
    pub shortfalls: u64,
}

impl Counts {
    /// The share of requests that were misses.
    #[must_use]
    pub fn object_miss_ratio(&self) -> f64 {
        self.object_misses as f64 / self.requests.max(1) as f64
    }

    /// The share of requested bytes that were missed.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        self.missed_bytes as f64 / self.requested_bytes.max(1) as f64
    }

    /// What was counted after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.combined(earlier, |now, earlier| now - earlier)
    }

    fn combined(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: combine(self.requests, other.requests),
            requested_bytes: combine(self.requested_bytes, other.requested_bytes),
            object_misses: combine(self.object_misses, other.object_misses),
            missed_bytes: combine(self.missed_bytes, other.missed_bytes),
            missed_wait: combine(self.missed_wait, other.missed_wait),
            bytes_written: combine(self.bytes_written, other.bytes_written),
            evictions: combine(self.evictions, other.evictions),
            rejected_ids: combine(self.rejected_ids, other.rejected_ids),
            shortfalls: combine(self.shortfalls, other.shortfalls),
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, counts| sum.combined(&counts, |sum, count| sum + count))
    }
}
