//! The counters of a replay.

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
