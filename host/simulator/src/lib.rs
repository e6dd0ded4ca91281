//! Replays request traces through eviction policies and counts misses, writes and evictions.
//!
//! A replay drives a policy as a cache does: the component runs in the same sandbox, hits are reported in batches, and every answer
//! is validated before it is applied.
//!
//! [`run`] replays a trace for several policies and capacities in parallel, [`lower_bounds`] computes the fewest misses that any policy
//! could have, and [`plot`] draws the miss ratio curves. [`Tuner`] searches for the policy and the options that minimise an [`Objective`].
//! [`run_cluster`] replays a trace through several nodes with a shared tier behind them.
//! [`Replay`] is for programs that stop partway, replace the policy, or supply a native [`Policy`].
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use media_cache::policy::{PolicyEngine, PolicySpec};
//! use media_cache_simulator::{Job, Trace, run};
//!
//! let engine = PolicyEngine::new()?;
//! let trace = Trace::read(&b"0,a,10\n1,b,10\n2,a,10\n"[..])?;
//! let jobs = [100, 10].map(|capacity| Job { choice: PolicySpec::built_in("lru").choose(&engine).unwrap(), capacity });
//! let outcomes = run(&engine, &trace, &jobs, NonZeroUsize::MIN, &|_replayed| {})?;
//! assert_eq!([2, 3], [&outcomes[0], &outcomes[1]].map(|outcome| outcome.counts.object_misses));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod cluster;
mod counts;
mod job;
mod objective;
mod outcome;
mod parallel;
mod plot;
mod policy;
mod replay;
mod resident_set;
mod run;
mod simulated_cache;
mod tune;

pub use bound::{LowerBound, WindowRequest, lower_bounds, lower_bounds_from, lower_bounds_of_window};
pub use cluster::{
    Balancer, Cluster, ClusterCounts, ClusterOutcome, ClusterPlan, ClusterPlanError, MAX_NODES, Maglev, Node, NodeFault,
    OriginCounts, Phase, Served, TierCounts, run_cluster,
};
pub use counts::Counts;
pub use job::{Job, JobError};
pub use media_cache_plot::PlotError;
pub use media_cache_trace::{Excerpt, LineFault, MediaKind, Request, Trace, TraceError, fingerprint};
pub use objective::{NoCosts, Objective, ObjectiveError};
pub use outcome::Outcome;
pub use plot::plot;
pub use policy::{Policy, Sandboxed};
pub use replay::{Replay, Seed};
pub use run::run;
pub use simulated_cache::{ObjectRequest, SimulatedCache};
pub use tune::{BLOCKS, Candidate, ENOUGH_BLOCKS, SearchSpace, TuneError, Tuned, Tuner, search_space};
