//! The counts of a replay.

/// Requests, misses, writes and evictions of a replay so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests replayed.
    pub requests: u64,
    /// The sum of the sizes of these requests in bytes.
    pub requested_bytes: u64,
    /// Requests for objects that were not stored.
    pub object_misses: u64,
    /// The sum of the sizes of these misses in bytes.
    pub missed_bytes: u64,
    /// The sum of the sizes of the objects that were stored, in bytes.
    pub bytes_written: u64,
    /// Stored objects that were evicted.
    pub evictions: u64,
    /// Victims named by the policy that were not stored, or that it named twice.
    pub rejected_ids: u64,
    /// Objects that were evicted to make space although the policy did not name them.
    pub shortfalls: u64,
}
