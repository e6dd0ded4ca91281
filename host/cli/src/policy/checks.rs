//! Checks policies that are uploaded to a service, with the conformance suite and a limit on its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use media_cache::policy::PolicyEngine;
use media_cache::{PolicyChoice, PolicyLimits};
use media_cache_conformance::{self as conformance, Outcome, Verdict};
use media_cache_server::{CheckOutcome, CheckResult, PolicyCheck};

/// How long the checks of a policy may take. The built-in policies need a tenth of it.
const MAX_TIME: Duration = Duration::from_secs(120);

/// The conformance suite, with the limits of the policies of a service.
pub struct LimitedSuite {
    limits: PolicyLimits,
    max_time: Duration,
}

impl LimitedSuite {
    /// The suite for policies with these limits.
    pub fn new(limits: PolicyLimits) -> Self {
        Self { limits, max_time: MAX_TIME }
    }
}

impl PolicyCheck for LimitedSuite {
    fn check(&self, engine: &PolicyEngine, policy: &PolicyChoice, is_cancelled: Arc<AtomicBool>) -> Vec<CheckResult> {
        let deadline = Instant::now() + self.max_time;
        let is_over = move || is_cancelled.load(Ordering::Relaxed) || Instant::now() >= deadline;
        let verdicts = conformance::run_until(engine, policy, self.limits, is_over.clone());
        let mut results = Vec::new();
        for verdict in verdicts {
            results.push(if is_over() { self.incomplete(&verdict) } else { result(verdict) });
        }
        results
    }
}

impl LimitedSuite {
    fn incomplete(&self, verdict: &Verdict) -> CheckResult {
        let seconds = self.max_time.as_secs();
        let detail = format!("not complete within {seconds} s; `media-cache policy test` has no such limit");
        CheckResult { check: verdict.check.into(), outcome: CheckOutcome::Untried, detail }
    }
}

fn result(Verdict { check, outcome, detail }: Verdict) -> CheckResult {
    let outcome = match outcome {
        Outcome::Passed => CheckOutcome::Passed,
        Outcome::Failed => CheckOutcome::Failed,
        Outcome::Untried => CheckOutcome::Untried,
    };
    CheckResult { check: check.into(), outcome, detail }
}

#[cfg(test)]
mod tests {
    use media_cache::PolicySpec;

    use super::*;
    use crate::engine::policy_engine;

    #[test]
    fn checks_that_are_not_complete_in_time_are_untried() {
        let engine = policy_engine().unwrap();
        let lru = PolicySpec::built_in("lru").choose(&engine).unwrap();
        let suite = LimitedSuite { limits: PolicyLimits::default(), max_time: Duration::ZERO };
        let results = suite.check(&engine, &lru, Arc::default());
        assert!(!results.is_empty());
        assert!(results.iter().all(|result| result.outcome == CheckOutcome::Untried), "{results:?}");
    }
}
