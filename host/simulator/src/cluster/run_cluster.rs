//! Replays a trace through clusters in parallel.

use std::num::NonZeroUsize;
use std::time::Instant;

use media_cache::policy::PolicyEngine;
use media_cache_trace::Trace;

use crate::cluster::cluster_counts::ClusterCounts;
use crate::cluster::cluster_outcome::{ClusterOutcome, Phase};
use crate::cluster::cluster_plan::{ClusterPlan, PlannedPhase};
use crate::cluster::nodes::{Cluster, NodeFault};
use crate::job::{Job, JobError, PROGRESS_INTERVAL};
use crate::outcome::Outcome;
use crate::parallel::in_parallel;
use crate::policy::Sandboxed;
use crate::simulated_cache::ObjectRequest;

/// Replays a trace through a cluster for each job, on up to `threads` threads, and returns the outcomes in the order of the jobs. The
/// capacity of a job is that of each node. If nodes change, a cluster without the changes is replayed as well, for comparison.
///
/// `engine` must be the one that compiled the policies. `progress` is called from these threads with the number of requests replayed since
/// the previous call; after all jobs, the numbers add up to [`ClusterPlan::replayed_requests`] for each job.
///
/// # Errors
/// If an option is invalid or a policy cannot be started. All policies are started before the first request is replayed.
pub fn run_cluster(
    engine: &PolicyEngine,
    trace: &Trace,
    jobs: &[Job],
    plan: &ClusterPlan,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<ClusterOutcome>, JobError> {
    for job in jobs {
        job.start(engine)?;
    }
    let replay = ClusterReplay { engine, trace, plan, progress };
    in_parallel(threads, jobs, |job| replay.run(job)).into_iter().collect()
}

impl ClusterPlan {
    /// The number of requests that are replayed for each job.
    #[must_use]
    pub fn replayed_requests(&self, trace: &Trace) -> u64 {
        trace.requests().len() as u64 * if self.has_changes() { 2 } else { 1 }
    }
}

struct ClusterReplay<'a> {
    engine: &'a PolicyEngine,
    trace: &'a Trace,
    plan: &'a ClusterPlan,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// A cluster at the end of a replay, with the counts and the number of nodes in each phase.
struct Replayed {
    cluster: Cluster<Sandboxed>,
    phases: Vec<(ClusterCounts, usize)>,
    fault: Option<NodeFault>,
}

impl ClusterReplay<'_> {
    fn run(&self, job: &Job) -> Result<ClusterOutcome, JobError> {
        let planned = self.plan.phases(self.trace.requests().len());
        let policy = job.start(self.engine)?;
        let description = policy.instance().description();
        let (name, options) = (description.name.clone(), job.choice.all_options(description));
        let started = Instant::now();
        let Replayed { cluster, phases, fault } = self.replay(job, &planned, true)?;
        let time = started.elapsed();
        let unchanged = if self.plan.has_changes() { self.replay(job, &planned, false)?.phases } else { Vec::new() };
        let is_complete = fault.is_none();
        let phase = |at: usize| Phase {
            from: planned[at].from,
            to: planned[at].to,
            nodes: phases[at].1,
            counts: phases[at].0,
            unchanged: unchanged.get(at).filter(|_| at > 0 && is_complete).map(|(counts, _)| *counts),
        };
        let (counts, capacity) = (cluster.counts(), job.capacity);
        let (faulty_node, fault) = fault.map(|NodeFault { node, fault }| (node, fault)).unzip();
        Ok(ClusterOutcome {
            total: Outcome { policy: name, spec: job.choice.spec(), options, capacity, counts: counts.nodes, time, fault },
            faulty_node,
            nodes: cluster.nodes(),
            counts,
            tier_peak_bytes: cluster.tier_peak_bytes(),
            phases: (0..phases.len()).map(phase).collect(),
        })
    }

    /// Replays the trace. After a fault, no further phases follow.
    fn replay(&self, job: &Job, planned: &[PlannedPhase], changes: bool) -> Result<Replayed, JobError> {
        let policies = (0..self.plan.nodes()).map(|_| job.start(self.engine)).collect::<Result<_, _>>()?;
        let mut cluster = Cluster::new(policies, job.capacity, self.plan.tier());
        let mut phases = Vec::with_capacity(planned.len());
        let mut before = ClusterCounts::default();
        for phase in planned {
            if phase.adds && changes {
                cluster.add(job.start(self.engine)?);
            }
            if phase.loses && changes {
                cluster.lose(self.plan.nodes());
            }
            let fault = self.replay_phase(&mut cluster, phase).err();
            let counts = cluster.counts();
            phases.push((counts.since(&before), cluster.nodes().iter().filter(|node| !node.is_lost).count()));
            before = counts;
            if fault.is_some() {
                (self.progress)((self.trace.requests().len() - phase.to) as u64);
                return Ok(Replayed { cluster, phases, fault });
            }
        }
        Ok(Replayed { cluster, phases, fault: None })
    }

    /// Replays the requests of a phase. The numbers passed to `progress` add up to their number, even after a fault.
    fn replay_phase(&self, cluster: &mut Cluster<Sandboxed>, phase: &PlannedPhase) -> Result<(), NodeFault> {
        let mut result = Ok(());
        for requests in self.trace.requests()[phase.from..phase.to].chunks(PROGRESS_INTERVAL) {
            let mut requests_of = requests.iter().map(|request| ObjectRequest::of(request, self.trace.fingerprint(request.object)));
            if result.is_ok() {
                result = requests_of.try_for_each(|request| cluster.request(&request).map(drop));
            }
            (self.progress)(requests.len() as u64);
        }
        result
    }
}
