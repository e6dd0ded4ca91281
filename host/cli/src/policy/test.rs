//! `media-cache policy test`: checks policies from any author.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use media_cache::policy::{CreateError, PolicyEngine, PolicyInstance};
use media_cache::{PolicyChoice, PolicyLimits, PolicySpec};
use media_cache_conformance::{self as conformance, Outcome, Verdict};
use serde_json::json;

use crate::engine::policy_engine;
use crate::output::{self, OutputError};
use crate::sandbox::Sandbox;

/// `media-cache policy test`.
#[derive(Args)]
pub struct Test {
    /// The policies to test: names or component files, with options, such as `./mine.wasm:window=10`
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PolicySpec>,
    /// Print one JSON object per verdict, each on a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sandbox: Sandbox,
}

impl Test {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let engine = policy_engine()?;
        let limits = self.sandbox.limits();
        // Report an invalid file before spending minutes on the other policies.
        let choose = |spec: &PolicySpec| {
            let choice = spec.choose(&engine)?;
            anyhow::Ok((spec.clone(), choice))
        };
        let choices: Vec<_> = self.policies.iter().map(choose).collect::<Result<_, _>>()?;
        let mut code = ExitCode::SUCCESS;
        for (at, (spec, choice)) in choices.iter().enumerate() {
            if at > 0 && !self.json {
                output::line("")?;
            }
            match self.test(&engine, spec, choice, limits) {
                Ok(true) => {}
                Ok(false) => code = ExitCode::FAILURE,
                // The remaining checks are not run, so not all have passed.
                Err(error) if matches!(error.downcast_ref(), Some(OutputError::Closed)) => return Ok(ExitCode::FAILURE),
                Err(error) => return Err(error),
            }
        }
        Ok(code)
    }

    /// Tests a policy, and returns whether it passed every check.
    fn test(&self, engine: &PolicyEngine, spec: &PolicySpec, choice: &PolicyChoice, limits: PolicyLimits) -> anyhow::Result<bool> {
        let policy = PolicyInstance::new(engine, &choice.component, limits);
        let mut policy = policy.with_context(|| format!("cannot start {spec}"))?;
        if let Err(CreateError::Options(why)) = policy.create(1 << 30, &choice.options) {
            anyhow::bail!("cannot create {spec}: {why}");
        }
        let (name, version) = (&policy.description().name, &policy.description().version);
        let digest = choice.component.digest();
        if !self.json {
            output::line(format_args!("{} {} ({spec}, sha256 {}...)", shown(name), shown(version), &digest[..12]))?;
        }
        let started = Instant::now();
        let (mut checks, mut passed) = (0, 0);
        for verdict in conformance::run(engine, choice, limits) {
            checks += 1;
            passed += u32::from(verdict.is_passed());
            if self.json {
                let Verdict { check, outcome, detail } = verdict;
                let outcome = format!("{outcome:?}").to_lowercase();
                let policy = spec.to_string();
                output::json_value(&json!({
                    "policy": policy, "digest": digest, "check": check, "outcome": outcome, "detail": detail,
                }))?;
            } else {
                output::lines(written(&verdict).split('\n'))?;
            }
        }
        if !self.json {
            let seconds = started.elapsed().as_secs_f64();
            output::line(format_args!("{}: {passed} of {checks} checks passed in {seconds:.1} s", shown(name)))?;
        }
        Ok(passed == checks)
    }
}

/// A string of a policy, shortened.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn written(verdict: &Verdict) -> String {
    let Verdict { check, outcome, detail } = verdict;
    match outcome {
        Outcome::Passed => format!("ok    {check} ({detail})"),
        Outcome::Failed => format!("FAIL  {check}\n      {}", detail.replace('\n', "\n      ")),
        Outcome::Untried => format!("-     {check} ({detail})"),
    }
}
