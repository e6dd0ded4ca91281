//! Several nodes: requests are spread over them by the hash of the key, and what they miss comes from a shared tier or from the origins.

mod balancer;
mod cluster_counts;
mod cluster_outcome;
mod cluster_plan;
mod nodes;
mod run_cluster;
mod shared_tier;

pub use balancer::{Balancer, Maglev};
pub use cluster_counts::{ClusterCounts, OriginCounts, TierCounts};
pub use cluster_outcome::{ClusterOutcome, Phase};
pub use cluster_plan::{ClusterPlan, ClusterPlanError, MAX_NODES};
pub use nodes::{Cluster, Node, NodeFault, Served};
pub use run_cluster::run_cluster;
