//! What a cluster consists of, and when it changes.

use std::num::NonZeroU32;

/// The maximum number of nodes. With more, the slots of a Maglev table would not be shared equally: it should have at least 100 per node.
pub const MAX_NODES: u32 = 500;

/// The nodes of a cluster, its tier, and a node that is lost or added during the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterPlan {
    nodes: NonZeroU32,
    tier: Option<u64>,
    lose_at: Option<u8>,
    add_at: Option<u8>,
}

/// Why there cannot be such a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterPlanError {
    /// There are too many nodes.
    #[error("{0} nodes are too many; at most {MAX_NODES} can be simulated")]
    TooManyNodes(u32),
    /// The only node would be lost.
    #[error("the only node cannot be lost, unless another one is added before or at the same time")]
    OnlyNodeLost,
}

/// A part of a replay, in which the nodes do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlannedPhase {
    /// Whether a node is added before the first request.
    pub adds: bool,
    /// Whether a node is lost before the first request.
    pub loses: bool,
    /// The number of requests replayed before and after this part.
    pub from: usize,
    pub to: usize,
}

impl ClusterPlan {
    /// A cluster of `nodes` nodes, with a tier of `tier` bytes if there is one. The last of these nodes is lost after `lose_at` percent of the
    /// requests, and another node is added after `add_at` percent.
    ///
    /// # Errors
    /// If there are too many nodes, or if the only node would be lost.
    pub fn new(nodes: NonZeroU32, tier: Option<u64>, lose_at: Option<u8>, add_at: Option<u8>) -> Result<Self, ClusterPlanError> {
        if nodes.get() > MAX_NODES {
            return Err(ClusterPlanError::TooManyNodes(nodes.get()));
        }
        let is_replaced = |lose_at: u8| add_at.is_some_and(|add_at| add_at <= lose_at);
        if nodes.get() == 1 && lose_at.is_some_and(|lose_at| !is_replaced(lose_at)) {
            return Err(ClusterPlanError::OnlyNodeLost);
        }
        Ok(Self { nodes, tier, lose_at, add_at })
    }

    /// The number of nodes at the start.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.nodes.get()
    }

    /// The size of the tier in bytes.
    #[must_use]
    pub fn tier(&self) -> Option<u64> {
        self.tier
    }

    /// The number of the node that is lost, and after how many of `requests` requests.
    #[must_use]
    pub fn lost(&self, requests: usize) -> Option<(u32, usize)> {
        self.lose_at.map(|percent| (self.nodes.get(), position(requests, percent)))
    }

    /// The number of the node that is added, and after how many of `requests` requests.
    #[must_use]
    pub fn added(&self, requests: usize) -> Option<(u32, usize)> {
        self.add_at.map(|percent| (self.nodes.get() + 1, position(requests, percent)))
    }

    /// Whether a node is lost or added.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.lose_at.is_some() || self.add_at.is_some()
    }

    /// The parts of a replay of `requests` requests. There is one more than there are changes at different times.
    pub(crate) fn phases(&self, requests: usize) -> Vec<PlannedPhase> {
        let (lost, added) = (self.lost(requests).map(|(_, at)| at), self.added(requests).map(|(_, at)| at));
        let mut changes: Vec<usize> = lost.into_iter().chain(added).collect();
        changes.sort_unstable();
        changes.dedup();
        let first = PlannedPhase { adds: false, loses: false, from: 0, to: *changes.first().unwrap_or(&requests) };
        let ends = changes.iter().skip(1).copied().chain([requests]);
        let changed = changes.iter().zip(ends).map(|(from, to)| PlannedPhase {
            adds: added == Some(*from),
            loses: lost == Some(*from),
            from: *from,
            to,
        });
        std::iter::once(first).chain(changed).collect()
    }
}

fn position(requests: usize, percent: u8) -> usize {
    (requests as u128 * u128::from(percent) / 100) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(nodes: u32, lose_at: Option<u8>, add_at: Option<u8>) -> Result<ClusterPlan, ClusterPlanError> {
        ClusterPlan::new(NonZeroU32::new(nodes).unwrap(), None, lose_at, add_at)
    }

    #[test]
    fn phases_are_divided_by_the_changes() {
        let phase = |adds, loses, from, to| PlannedPhase { adds, loses, from, to };
        assert_eq!(plan(3, None, None).unwrap().phases(10), [phase(false, false, 0, 10)]);
        let lost_first = plan(3, Some(30), Some(50)).unwrap();
        assert_eq!(lost_first.phases(10), [phase(false, false, 0, 3), phase(false, true, 3, 5), phase(true, false, 5, 10)]);
        let added_first = plan(3, Some(90), Some(59)).unwrap();
        assert_eq!(added_first.phases(10), [phase(false, false, 0, 5), phase(true, false, 5, 9), phase(false, true, 9, 10)]);
        assert_eq!(plan(1, Some(50), Some(50)).unwrap().phases(2), [phase(false, false, 0, 1), phase(true, true, 1, 2)]);
    }

    #[test]
    fn at_least_one_node_remains() {
        assert_eq!(plan(1, Some(50), None), Err(ClusterPlanError::OnlyNodeLost));
        assert_eq!(plan(1, Some(50), Some(51)), Err(ClusterPlanError::OnlyNodeLost));
        assert!(plan(1, Some(50), Some(50)).is_ok() && plan(1, None, Some(50)).is_ok() && plan(2, Some(50), None).is_ok());
    }

    #[test]
    fn number_of_nodes_is_limited() {
        assert_eq!(plan(501, None, None), Err(ClusterPlanError::TooManyNodes(501)));
        assert_eq!(plan(500, Some(1), Some(99)).unwrap().nodes(), 500);
    }
}
