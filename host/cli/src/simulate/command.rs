//! The command that replays a trace.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::BinaryBytes;
use media_cache::policy::PolicyEngine;
use media_cache::{PolicySpec, embedded};
use media_cache_simulator::{self as simulator, ClusterPlan, Job, LowerBound, Objective, Outcome, Trace};

use crate::capacity::Capacity;
use crate::config::UsageError;
use crate::engine::policy_engine;
use crate::output::OutputError;
use crate::plot_file::PlotFile;
use crate::replayed_trace::ReplayedTrace;
use crate::simulate::cluster_options::ClusterOptions;
use crate::simulate::single_report::label;
use crate::simulate::{cluster_report, single_report};
use crate::{output, progress, user_files};

/// `media-cache simulate`.
#[derive(Args)]
pub struct Simulate {
    #[command(flatten)]
    trace: ReplayedTrace,
    /// The size of the cache, or of each node, such as `128MiB`, `1.5GiB`, `2GB` or a number of bytes; may be comma-separated
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', default_value = "500MiB")]
    capacity: Vec<Capacity>,
    /// The policy: a name or a component file, with options, such as `gdsf:beta=0.75`; may be given several times; by default, all built-in
    /// policies
    #[arg(long, value_name = "POLICY")]
    policy: Vec<PolicySpec>,
    #[command(flatten)]
    cluster: ClusterOptions,
    /// Add a lower bound on the misses of any policy, even one that knows the future, for each capacity
    #[arg(long)]
    bound: bool,
    /// Add the value of an objective (lower is better): `requests` (misses), `bytes` (missed bytes), `wait` (time that clients wait for
    /// misses), or amounts that count equally, such as `requests=1,bytes=20KB,wait=50ms`
    #[arg(long, value_name = "OBJECTIVE")]
    objective: Option<Objective>,
    /// Print the exact counts, as JSON
    #[arg(long)]
    json: bool,
    /// Write the miss ratio curves to this file as SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PlotFile>,
}

impl Simulate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let plan = self.cluster.plan()?;
        self.check(plan.as_ref())?;
        let engine = policy_engine()?;
        let jobs = self.jobs(&engine)?;
        let trace = self.trace.read()?;
        self.objective.map_or(Ok(()), |objective| objective.check(&trace))?;
        match plan {
            None => self.run_single(&engine, &jobs, &trace),
            Some(plan) => self.run_cluster(&engine, &jobs, &trace, &plan),
        }
    }

    /// Checks everything that does not depend on the trace.
    fn check(&self, plan: Option<&ClusterPlan>) -> anyhow::Result<()> {
        if let Some(plan) = plan {
            let refuse = |message: &str| Err(UsageError::new(message.into()));
            if self.bound {
                refuse("--bound applies to a single cache; leave out --bound, or --nodes, --tier, --lose-node and --add-node")?;
            }
            if self.objective.is_some() && plan.tier().is_some() {
                refuse("--objective does not distinguish the tier from the origins; leave out --objective or --tier")?;
            }
        }
        self.plot.as_ref().map_or(Ok(()), PlotFile::check)
    }

    fn run_single(&self, engine: &PolicyEngine, jobs: &[Job], trace: &Trace) -> anyhow::Result<ExitCode> {
        // The bar is drawn on standard error, and only if that is a terminal.
        let bar = progress::replay(trace.requests().len() as u64 * jobs.len() as u64);
        let outcomes = simulator::run(engine, trace, jobs, self.trace.threads(), &|done| bar.inc(done));
        bar.finish_and_clear();
        let outcomes = outcomes?;
        let bounds = if self.bound { simulator::lower_bounds(trace, &self.capacities()) } else { Vec::new() };
        self.draw(&outcomes, &bounds)?;
        let printed = if self.json {
            output::json_document(&single_report::as_json(&outcomes, &bounds, self.objective))
        } else {
            output::lines(single_report::as_table(&outcomes, &bounds, self.objective))
        };
        finish(outcomes.iter().map(|outcome| (outcome, None)), printed)
    }

    fn run_cluster(&self, engine: &PolicyEngine, jobs: &[Job], trace: &Trace, plan: &ClusterPlan) -> anyhow::Result<ExitCode> {
        let bar = progress::replay(plan.replayed_requests(trace) * jobs.len() as u64);
        let outcomes = simulator::run_cluster(engine, trace, jobs, plan, self.trace.threads(), &|done| bar.inc(done));
        bar.finish_and_clear();
        let outcomes = outcomes?;
        let totals: Vec<Outcome> = outcomes.iter().map(|outcome| outcome.total.clone()).collect();
        self.draw(&totals, &[])?;
        let printed = if self.json {
            output::json_document(&cluster_report::as_json(&outcomes, plan, self.objective))
        } else {
            output::lines(cluster_report::as_text(&outcomes, plan, trace.requests().len(), self.objective))
        };
        finish(outcomes.iter().map(|outcome| (&outcome.total, outcome.faulty_node)), printed)
    }

    /// Draws the curves, if requested.
    fn draw(&self, outcomes: &[Outcome], bounds: &[LowerBound]) -> anyhow::Result<()> {
        let Some(file) = &self.plot else { return Ok(()) };
        let svg = simulator::plot(outcomes, bounds, label)?;
        let written = user_files::create_file(file.path()).and_then(|mut out| out.write_all(svg.as_bytes()));
        written.with_context(|| format!("cannot write {}", file.path().display()))
    }

    fn jobs(&self, engine: &PolicyEngine) -> anyhow::Result<Vec<Job>> {
        let built_in = || embedded::policy_names().into_iter().map(PolicySpec::built_in).collect();
        let specs = if self.policy.is_empty() { built_in() } else { self.policy.clone() };
        let choices = specs.iter().map(|spec| spec.choose(engine)).collect::<Result<Vec<_>, _>>()?;
        let all = |capacity| choices.iter().map(move |choice| Job { choice: choice.clone(), capacity });
        Ok(self.capacities().into_iter().flat_map(all).collect())
    }

    /// Each capacity once, in ascending order.
    fn capacities(&self) -> Vec<u64> {
        let mut capacities: Vec<u64> = self.capacity.iter().map(|capacity| capacity.0).collect();
        capacities.sort_unstable();
        capacities.dedup();
        capacities
    }
}

/// Reports the faults, each with the number of its node if there are several, and returns the exit status.
fn finish<'a>(
    outcomes: impl Iterator<Item = (&'a Outcome, Option<u32>)>,
    printed: Result<(), OutputError>,
) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (outcome, node) in outcomes {
        if let Some(fault) = &outcome.fault {
            let (at, capacity) = (outcome.counts.requests + 1, BinaryBytes(outcome.capacity));
            let node = node.map_or_else(String::new, |node| format!("node {node}: "));
            output::problem(format_args!("{} at {capacity} stopped at request {at}: {node}{fault}", label(outcome)));
            code = ExitCode::FAILURE;
        }
    }
    match printed {
        // The exit status matters even if the reader has closed the output.
        Ok(()) | Err(OutputError::Closed) => Ok(code),
        Err(error) => Err(error.into()),
    }
}
