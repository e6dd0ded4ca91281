//! A simulated cluster: nodes with a policy and a cache each, and what is behind them.

use media_cache::policy::PolicyFault;

use crate::cluster::balancer::{Balancer, Maglev};
use crate::cluster::cluster_counts::{ClusterCounts, OriginCounts};
use crate::cluster::shared_tier::SharedTier;
use crate::counts::Counts;
use crate::policy::Policy;
use crate::simulated_cache::{ObjectRequest, SimulatedCache};

/// Where a request was served from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The cache of the node.
    Node,
    /// The tier that all nodes share.
    Tier,
    /// The origin of the object.
    Origin,
}

/// The policy of a node faulted.
#[derive(Debug, thiserror::Error)]
#[error("node {node}: {fault}")]
pub struct NodeFault {
    /// The number of the node.
    pub node: u32,
    /// The fault.
    #[source]
    pub fault: PolicyFault,
}

/// A node of a cluster, past or present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The number of the node, from 1.
    pub number: u32,
    /// Its counts so far.
    pub counts: Counts,
    /// Whether it was lost.
    pub is_lost: bool,
}

struct RunningNode<P> {
    number: u32,
    policy: P,
    cache: SimulatedCache,
}

impl<P> RunningNode<P> {
    fn new(number: u32, policy: P, capacity: u64) -> Self {
        Self { number, policy, cache: SimulatedCache::new(capacity) }
    }

    fn describe(&self, is_lost: bool) -> Node {
        Node { number: self.number, counts: self.cache.counts(), is_lost }
    }
}

/// Nodes with equal capacities and a tier behind them. Each key belongs to one node, which the balancer selects.
pub struct Cluster<P, B = Maglev> {
    /// The capacity of each node.
    capacity: u64,
    running: Vec<RunningNode<P>>,
    balancer: B,
    lost: Vec<Node>,
    tier: Option<SharedTier>,
    origins: OriginCounts,
}

impl<P: Policy, B: Balancer> Cluster<P, B> {
    /// A cluster with an empty node of `capacity` bytes for each policy, of which there must be at least one, and with an empty tier of
    /// `tier` bytes, if there is one.
    pub fn new(policies: Vec<P>, capacity: u64, tier: Option<u64>) -> Self {
        let node = |(number, policy)| RunningNode::new(number, policy, capacity);
        let running: Vec<_> = (1..).zip(policies).map(node).collect();
        let (balancer, tier) = (balancer(&running), tier.map(SharedTier::new));
        Self { capacity, running, balancer, lost: Vec::new(), tier, origins: OriginCounts::default() }
    }

    /// Adds an empty node. Its number follows that of the last node that was added.
    pub fn add(&mut self, policy: P) {
        let number = (self.running.len() + self.lost.len()) as u32 + 1;
        self.running.push(RunningNode::new(number, policy, self.capacity));
        self.balancer = balancer(&self.running);
    }

    /// Removes a node and everything that it stores. Returns whether it did: the only node is not removed.
    pub fn lose(&mut self, number: u32) -> bool {
        let position = self.running.iter().position(|node| node.number == number);
        let Some(position) = position.filter(|_| self.running.len() > 1) else { return false };
        self.lost.push(self.running.remove(position).describe(true));
        self.balancer = balancer(&self.running);
        true
    }

    /// Simulates a request.
    ///
    /// # Errors
    /// If the policy of the node faults. The simulation cannot continue after that, and the request is not counted.
    pub fn request(&mut self, request: &ObjectRequest) -> Result<Served, NodeFault> {
        let position = self.balancer.position(request.fingerprint);
        let RunningNode { number, policy, cache } = &mut self.running[position];
        let is_hit = cache.request(policy, request).map_err(|fault| NodeFault { node: *number, fault })?;
        if is_hit {
            self.tier.iter_mut().for_each(|tier| tier.record_use(request));
            return Ok(Served::Node);
        }
        if self.tier.as_mut().is_some_and(|tier| tier.look_up(request)) {
            return Ok(Served::Tier);
        }
        self.origins.requests += 1;
        self.origins.bytes += request.size;
        self.tier.iter_mut().for_each(|tier| tier.store(request));
        Ok(Served::Origin)
    }

    /// All nodes in the order of their numbers, including those that were lost.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = self.running.iter().map(|node| node.describe(false)).chain(self.lost.iter().copied()).collect();
        nodes.sort_unstable_by_key(|node| node.number);
        nodes
    }

    /// The counts so far.
    pub fn counts(&self) -> ClusterCounts {
        ClusterCounts {
            nodes: self.nodes().into_iter().map(|node| node.counts).sum(),
            tier: self.tier.as_ref().map(SharedTier::counts).unwrap_or_default(),
            origins: self.origins,
        }
    }

    /// The largest number of bytes that the tier stored so far. 0 without a tier.
    pub fn tier_peak_bytes(&self) -> u64 {
        self.tier.as_ref().map_or(0, SharedTier::peak_bytes)
    }

    /// The number of the node that a key belongs to.
    pub fn node_of(&self, fingerprint: u64) -> u32 {
        self.running[self.balancer.position(fingerprint)].number
    }
}

fn balancer<P, B: Balancer>(nodes: &[RunningNode<P>]) -> B {
    B::new(&nodes.iter().map(|node| node.number).collect::<Vec<_>>())
}
