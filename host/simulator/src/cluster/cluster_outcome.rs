//! The result of replaying a trace through a cluster.

use crate::cluster::cluster_counts::ClusterCounts;
use crate::cluster::nodes::Node;
use crate::outcome::Outcome;

/// The result of replaying a trace through a cluster whose nodes have the same policy and capacity.
#[derive(Clone, Debug)]
pub struct ClusterOutcome {
    /// The sums over all nodes. The capacity is that of each node.
    pub total: Outcome,
    /// The number of the node whose policy ended the replay early.
    pub faulty_node: Option<u32>,
    /// All nodes in the order of their numbers.
    pub nodes: Vec<Node>,
    /// The counts for the whole trace, or up to the fault.
    pub counts: ClusterCounts,
    /// The largest number of bytes that the tier stored. 0 without a tier.
    pub tier_peak_bytes: u64,
    /// The parts of the replay before and after each change of the nodes, at least one.
    pub phases: Vec<Phase>,
}

/// A part of a replay in which the nodes did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The number of requests before this part.
    pub from: usize,
    /// The number of requests up to its end.
    pub to: usize,
    /// The number of nodes.
    pub nodes: usize,
    /// What was counted in this part.
    pub counts: ClusterCounts,
    /// What a cluster counted in this part whose nodes never changed. `None` before the first change, and after a fault.
    pub unchanged: Option<ClusterCounts>,
}
