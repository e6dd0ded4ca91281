//! The options for several nodes and a tier behind them.

use std::num::NonZeroU32;

use clap::Args;
use media_cache_simulator::{ClusterPlan, ClusterPlanError, MAX_NODES};

use crate::capacity::Capacity;
use crate::config::UsageError;

/// The nodes, the tier, and when the nodes change.
#[derive(Args)]
pub struct ClusterOptions {
    /// The number of nodes, each with the whole capacity; requests are spread over them by consistent hashing of the key
    #[arg(long, value_name = "N", default_value = "1")]
    nodes: NonZeroU32,
    /// Add a tier of this size behind the nodes, such as an object store that all of them share; it is trimmed by the age of the last use
    #[arg(long, value_name = "SIZE")]
    tier: Option<Capacity>,
    /// Lose the last of the nodes and everything that it stores after this share of the requests, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    lose_node: Option<u8>,
    /// Add an empty node after this share of the requests, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    add_node: Option<u8>,
}

impl ClusterOptions {
    /// The cluster, or `None` for a single node without a tier.
    pub fn plan(&self) -> Result<Option<ClusterPlan>, UsageError> {
        let Self { nodes, tier, lose_node, add_node } = self;
        if nodes.get() == 1 && tier.is_none() && lose_node.is_none() && add_node.is_none() {
            return Ok(None);
        }
        let plan = ClusterPlan::new(*nodes, tier.map(|tier| tier.0), *lose_node, *add_node);
        let refused = |error| match error {
            ClusterPlanError::TooManyNodes(nodes) => format!("--nodes {nodes}: it must be at most {MAX_NODES}"),
            ClusterPlanError::OnlyNodeLost => {
                format!("--lose-node {}: {error}; give --nodes 2 or more, or --add-node", lose_node.unwrap_or_default())
            }
        };
        plan.map(Some).map_err(|error| UsageError::new(refused(error)))
    }
}
