//! The command that replays a trace.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::BinaryBytes;
use media_cache::policy::PolicyEngine;
use media_cache::{PolicySpec, embedded};
use media_cache_simulator::{self as simulator, Job, LowerBound, Objective, Outcome};
use serde_json::{Map, Value, json};

use crate::capacity::Capacity;
use crate::engine::policy_engine;
use crate::output::OutputError;
use crate::plot_file::PlotFile;
use crate::replayed_trace::ReplayedTrace;
use crate::table::{aligned, percent, significant};
use crate::visible::Visible;
use crate::{output, progress, user_files};

/// `media-cache simulate`.
#[derive(Args)]
pub struct Simulate {
    #[command(flatten)]
    trace: ReplayedTrace,
    /// The size of the cache, such as `128MiB`, `1.5GiB`, `2GB` or a number of bytes; may be comma-separated
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', default_value = "500MiB")]
    capacity: Vec<Capacity>,
    /// The policy: a name or a component file, with options, such as `gdsf:beta=0.75`; may be given several times; by default, all built-in
    /// policies
    #[arg(long, value_name = "POLICY")]
    policy: Vec<PolicySpec>,
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
        let engine = policy_engine()?;
        let jobs = self.jobs(&engine)?;
        let trace = self.trace.read()?;
        self.objective.map_or(Ok(()), |objective| objective.check(&trace))?;
        // The bar is drawn on standard error, and only if that is a terminal.
        let bar = progress::replay(trace.requests().len() as u64 * jobs.len() as u64);
        let outcomes = simulator::run(&engine, &trace, &jobs, self.trace.threads(), &|done| bar.inc(done));
        bar.finish_and_clear();
        let outcomes = outcomes?;
        let bounds = if self.bound { simulator::lower_bounds(&trace, &self.capacities()) } else { Vec::new() };
        if let Some(file) = &self.plot {
            let svg = simulator::plot(&outcomes, &bounds, label)?;
            let written = user_files::create_file(file.path()).and_then(|mut out| out.write_all(svg.as_bytes()));
            written.with_context(|| format!("cannot write {}", file.path().display()))?;
        }
        let printed = if self.json {
            output::json_document(&as_json(&outcomes, &bounds, self.objective))
        } else {
            output::lines(as_table(&outcomes, &bounds, self.objective))
        };
        let mut code = ExitCode::SUCCESS;
        for outcome in &outcomes {
            if let Some(fault) = &outcome.fault {
                let (at, capacity) = (outcome.counts.requests + 1, BinaryBytes(outcome.capacity));
                output::problem(format_args!("{} at {capacity} stopped at request {at}: {fault}", label(outcome)));
                code = ExitCode::FAILURE;
            }
        }
        match printed {
            // The exit status matters even if the reader has closed the output.
            Ok(()) | Err(OutputError::Closed) => Ok(code),
            Err(error) => Err(error.into()),
        }
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

/// A policy in the notation of the command line, without options that have their default.
fn label(outcome: &Outcome) -> String {
    Visible(&outcome.spec).to_string()
}

/// The lower bound at the capacity of an outcome, if bounds were computed.
fn bound_of<'a>(outcome: &Outcome, bounds: &'a [LowerBound]) -> Option<&'a LowerBound> {
    bounds.iter().find(|bound| bound.capacity == outcome.capacity)
}

fn as_json(outcomes: &[Outcome], bounds: &[LowerBound], objective: Option<Objective>) -> Value {
    let row = |outcome: &Outcome| {
        let options: Map<_, _> = outcome.options.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        let counts = &outcome.counts;
        let mut row = json!({
            "policy": outcome.policy, "origin": outcome.spec.origin.to_string(), "options": options, "capacity": outcome.capacity,
            "requests": counts.requests, "object_misses": counts.object_misses, "missed_bytes": counts.missed_bytes,
            "bytes_written": counts.bytes_written, "evictions": counts.evictions, "seconds": outcome.time.as_secs_f64(),
        });
        if let Some(bound) = bound_of(outcome, bounds) {
            row["lower_bound"] = json!({ "object_misses": bound.object_misses, "missed_bytes": bound.missed_bytes });
        }
        if let Some(objective) = objective {
            row["objective"] = objective.of(counts).into();
        }
        // These are included only if they are nonzero.
        for (name, number) in
            [("missed_wait", counts.missed_wait), ("rejected_ids", counts.rejected_ids), ("shortfalls", counts.shortfalls)]
        {
            if number > 0 {
                row[name] = number.into();
            }
        }
        if let Some(fault) = &outcome.fault {
            row["error"] = fault.to_string().into();
        }
        row
    };
    Value::from_iter(outcomes.iter().map(row))
}

fn as_table(outcomes: &[Outcome], bounds: &[LowerBound], objective: Option<Objective>) -> Vec<String> {
    const HEAD: [&str; 6] = ["CAPACITY", "POLICY", "OBJECT MISSES", "BYTE MISSES", "WRITTEN", "TIME/REQUEST"];
    let cells = |outcome: &Outcome| {
        let mut cells = [BinaryBytes(outcome.capacity).to_string(), label(outcome)].to_vec();
        match &outcome.fault {
            Some(_) => cells.push("stopped".into()),
            None => cells.extend([
                percent(outcome.object_miss_ratio()),
                percent(outcome.byte_miss_ratio()),
                BinaryBytes(outcome.counts.bytes_written).to_string(),
                format!("{:.0} ns", outcome.time.as_nanos() as f64 / outcome.counts.requests.max(1) as f64),
            ]),
        }
        if let (Some(objective), None) = (objective, &outcome.fault) {
            cells.push(significant(objective.of(&outcome.counts) / outcome.counts.requests.max(1) as f64));
        }
        cells
    };
    let bound_cells = |bound: &LowerBound| {
        let (capacity, name) = (BinaryBytes(bound.capacity).to_string(), LowerBound::NAME.to_owned());
        vec![capacity, name, percent(bound.object_miss_ratio()), percent(bound.byte_miss_ratio())]
    };
    let mut rows = vec![HEAD.map(String::from).to_vec()];
    rows[0].extend(objective.map(|_| "OBJECTIVE".to_owned()));
    for at_capacity in outcomes.chunk_by(|one, other| one.capacity == other.capacity) {
        rows.extend(at_capacity.iter().map(cells));
        rows.extend(bound_of(&at_capacity[0], bounds).map(bound_cells));
    }
    aligned(&rows, 1)
}
