//! The counters of a cluster.

use crate::counts::Counts;

/// Requests that nodes sent to the tier, and their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierCounts {
    /// Objects that nodes looked up: their misses. 0 without a tier.
    pub lookups: u64,
    /// Lookups that found the object.
    pub hits: u64,
    /// Sum of the sizes of these objects.
    pub bytes_read: u64,
    /// Sum of the sizes of the objects that were stored.
    pub bytes_written: u64,
}

/// Requests that nodes sent to the origins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginCounts {
    /// Objects that were neither on the node nor in the tier.
    pub requests: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

/// The counters of all nodes together, of the tier, and of the origins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// The sums over all nodes, including those that were lost.
    pub nodes: Counts,
    /// The tier.
    pub tier: TierCounts,
    /// The origins.
    pub origins: OriginCounts,
}

impl ClusterCounts {
    /// What was counted after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            nodes: self.nodes.since(&earlier.nodes),
            tier: TierCounts {
                lookups: self.tier.lookups - earlier.tier.lookups,
                hits: self.tier.hits - earlier.tier.hits,
                bytes_read: self.tier.bytes_read - earlier.tier.bytes_read,
                bytes_written: self.tier.bytes_written - earlier.tier.bytes_written,
            },
            origins: OriginCounts {
                requests: self.origins.requests - earlier.origins.requests,
                bytes: self.origins.bytes - earlier.origins.bytes,
            },
        }
    }
}
