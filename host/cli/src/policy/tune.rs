//! `media-cache policy tune`: searches for the policy and the options that suit a trace.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Args;
use indicatif::BinaryBytes;
use media_cache::policy::PolicyEngine;
use media_cache::{PolicyChoice, PolicySpec, embedded};
use media_cache_simulator::{BLOCKS, Candidate, ENOUGH_BLOCKS, LowerBound, Objective, Trace, Tuned, Tuner};
use serde_json::{Value, json};

use crate::capacity::Capacity;
use crate::engine::policy_engine;
use crate::replayed_trace::ReplayedTrace;
use crate::table::{aligned, change, percent, significant};
use crate::visible::Visible;
use crate::{output, progress};

/// `media-cache policy tune`.
#[derive(Args)]
pub struct Tune {
    #[command(flatten)]
    trace: ReplayedTrace,
    /// What to minimise: `requests` (misses), `bytes` (missed bytes), `wait` (time that clients wait for misses), or amounts that
    /// count equally, such as `requests=1,bytes=20KB,wait=50ms`
    #[arg(long, value_name = "OBJECTIVE", default_value_t)]
    objective: Objective,
    /// The size of the cache, such as `128MiB`, `1.5GiB`, `2GB` or a number of bytes
    #[arg(long, value_name = "SIZE", default_value = "500MiB")]
    capacity: Capacity,
    /// The share of the trace to choose the options on, in percent; the rest shows whether they are better there as well
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = clap::value_parser!(u8).range(1..=99))]
    train: u8,
    /// Determines which options are tried if there are too many combinations
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// The maximum number of settings to try
    #[arg(long, value_name = "N", default_value = "120")]
    trials: NonZeroUsize,
    /// Only tune this policy: a name or a component file; options that are given are not changed; may be given several times; by default,
    /// all built-in policies
    #[arg(long, value_name = "POLICY")]
    policy: Vec<PolicySpec>,
    /// Print the exact values, as JSON
    #[arg(long)]
    json: bool,
}

impl Tune {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let engine = policy_engine()?;
        let policies = self.policies(&engine)?;
        let trace = self.trace.read()?;
        let tuner = self.tuner(&trace);
        // The bar is drawn on standard error, and only if that is a terminal.
        let bar = progress::replay(tuner.replayed_requests(&trace, policies.len()));
        let tuned = tuner.run(&engine, &trace, &policies, &|done| bar.inc(done));
        bar.finish_and_clear();
        let report = Report { tuner, requests: trace.requests().len(), tuned: tuned? };
        if self.json {
            output::json_document(&report.as_json())?;
        } else {
            output::lines(report.as_text())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn policies(&self, engine: &PolicyEngine) -> anyhow::Result<Vec<PolicyChoice>> {
        let built_in = || embedded::policy_names().into_iter().map(PolicySpec::built_in).collect();
        let specs = if self.policy.is_empty() { built_in() } else { self.policy.clone() };
        Ok(specs.iter().map(|spec| spec.choose(engine)).collect::<Result<_, _>>()?)
    }

    fn tuner(&self, trace: &Trace) -> Tuner {
        Tuner {
            objective: self.objective,
            capacity: self.capacity.0,
            training_requests: (trace.requests().len() as u128 * u128::from(self.train) / 100) as usize,
            trials: self.trials,
            seed: self.seed,
            threads: self.trace.threads(),
        }
    }
}

/// The result of a search, for people and for programs.
struct Report {
    tuner: Tuner,
    /// The number of requests in the trace.
    requests: usize,
    tuned: Tuned,
}

impl Report {
    fn held_out_requests(&self) -> usize {
        self.requests - self.tuner.training_requests
    }

    fn as_json(&self) -> Value {
        let Self { tuner, tuned, .. } = self;
        let candidate = |candidate: &Candidate| {
            json!({
                "policy": candidate.spec.to_string(), "training": candidate.training, "held_out": candidate.held_out(),
                "blocks": candidate.blocks, "better_blocks": candidate.better_blocks(&tuned.baseline),
            })
        };
        json!({
            "objective": tuner.objective.to_string(), "capacity": tuner.capacity, "seed": tuner.seed, "trials": tuned.trials,
            "training_requests": tuner.training_requests, "held_out_requests": self.held_out_requests(),
            "baseline": tuned.baseline.spec.to_string(), "lower_bound": tuned.lower_bound,
            "candidates": tuned.candidates.iter().map(candidate).collect::<Vec<_>>(),
            "recommended": tuned.recommended().map(|candidate| candidate.spec.to_string()),
        })
    }

    fn as_text(&self) -> Vec<String> {
        let Self { tuner, tuned, .. } = self;
        let (objective, capacity) = (tuner.objective, BinaryBytes(tuner.capacity));
        let (training, held_out) = (tuner.training_requests, self.held_out_requests());
        let tried = if tuned.trials == 1 { "1 setting".to_owned() } else { format!("{} settings", tuned.trials) };
        let summary = format!(
            "objective {objective} at {capacity}: {tried} tried on the first {training} requests, the best compared on the other {held_out}"
        );
        let table = aligned(&self.rows(), &[0]);
        [vec![summary, String::new()], table, vec![String::new()], self.conclusion()].concat()
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let Tuned { candidates, baseline, lower_bound, .. } = &self.tuned;
        let name = label(baseline);
        let relative = format!("VS {}", name.to_uppercase());
        let per_request = |value: f64, requests: usize| significant(value / requests as f64);
        let head = ["POLICY", "TRAINING", &relative, "HELD OUT", &relative, "BETTER IN", "ABOVE BOUND"];
        let row = |candidate: &Candidate| {
            let held_out = candidate.held_out();
            vec![
                label(candidate),
                per_request(candidate.training, self.tuner.training_requests),
                change(candidate.training, baseline.training),
                per_request(held_out, self.held_out_requests()),
                change(held_out, baseline.held_out()),
                format!("{} of {BLOCKS}", candidate.better_blocks(baseline)),
                lower_bound.map_or_else(String::new, |bound| change(held_out, bound)),
            ]
        };
        let bound = |bound: &f64| {
            let held_out = per_request(*bound, self.held_out_requests());
            let to_baseline = change(*bound, baseline.held_out());
            vec![LowerBound::NAME.into(), String::new(), String::new(), held_out, to_baseline]
        };
        let candidates = candidates.iter().map(row);
        std::iter::once(head.map(String::from).to_vec()).chain(candidates).chain(lower_bound.iter().map(bound)).collect()
    }

    /// What to do, in words.
    fn conclusion(&self) -> Vec<String> {
        let Tuned { candidates, baseline, .. } = &self.tuned;
        let best = candidates.first().unwrap_or(baseline);
        let recommended = self.tuned.recommended();
        let compared = |candidate: &Candidate| {
            let (change, better) = (compared(candidate, baseline), candidate.better_blocks(baseline));
            format!("{change} on the held-out part, and better in {better} of {BLOCKS} blocks")
        };
        let mut lines = Vec::new();
        if best.spec != baseline.spec && recommended.is_none_or(|recommended| recommended.spec != best.spec) {
            let (name, compared) = (label(best), compared(best));
            lines.push(format!("{name}, the best on the training part, is {compared}, of which {ENOUGH_BLOCKS} are needed"));
        }
        let Some(recommended) = recommended else {
            let default = label(baseline);
            lines.push(format!("nothing beats {default}, the default policy, with confidence: keep it"));
            return lines;
        };
        let name = label(recommended);
        lines.extend([
            format!("{name} is {}", compared(recommended)),
            String::new(),
            format!("as a flag:                  --policy {name}"),
            format!("in the configuration file:  policy = {}", toml::Value::from(recommended.spec.to_string())),
        ]);
        lines
    }
}

/// A candidate in the notation of the command line, without options that have their default.
fn label(candidate: &Candidate) -> String {
    Visible(&candidate.spec).to_string()
}

/// How a candidate compares with another one on the held-out part, in words.
fn compared(candidate: &Candidate, other: &Candidate) -> String {
    let (own, base) = (candidate.held_out(), other.held_out());
    let name = label(other);
    match own.total_cmp(&base) {
        std::cmp::Ordering::Less => format!("{} below {name}", percent(1.0 - own / base)),
        std::cmp::Ordering::Equal => format!("equal to {name}"),
        std::cmp::Ordering::Greater if base > 0.0 => format!("{} above {name}", percent(own / base - 1.0)),
        std::cmp::Ordering::Greater => format!("above {name}"),
    }
}
