//! Runs all checks in the order in which they are reported.

use std::sync::Arc;

use media_cache::policy::{PolicyChoice, PolicyEngine, PolicyFault, PolicyLimits};

use crate::checks::{description, hit_ratio, invariants, memory_growth, repeatability, scale};
use crate::context::Context;
use crate::interruptible::{Interruptible, IsOver};
use crate::sandboxed::Sandboxed;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// Checks that share their sequences.
type Check = fn(&Context) -> Vec<Verdict>;

const CHECKS: [Check; 6] =
    [description::check, invariants::check, hit_ratio::check, repeatability::check, memory_growth::check, scale::check];

/// Runs the suite for a component with its options. `engine` must be the one that compiled it, and `limits` apply to each instance.
///
/// Checks run as the iterator is advanced. A component that fails to start has a single verdict.
pub fn run(engine: &PolicyEngine, policy: &PolicyChoice, limits: PolicyLimits) -> impl Iterator<Item = Verdict> + use<> {
    let (engine, choice) = (engine.clone(), policy.clone());
    try_out(move || Sandboxed::start(&engine, &choice, limits), policy.options.clone(), limits)
}

/// Like [`run`], until `is_over` returns true. A check that is not complete by then has a verdict that says nothing about the policy: whether
/// `is_over` returns true after a verdict tells whether it counts.
pub fn run_until<F: Fn() -> bool + 'static>(
    engine: &PolicyEngine,
    policy: &PolicyChoice,
    limits: PolicyLimits,
    is_over: F,
) -> impl Iterator<Item = Verdict> + use<F> {
    let (engine, choice) = (engine.clone(), policy.clone());
    let is_over: IsOver = Arc::new(is_over);
    let start = move || -> Result<Box<dyn Subject>, PolicyFault> {
        let subject = Sandboxed::start(&engine, &choice, limits)?;
        Ok(Box::new(Interruptible { subject, is_over: is_over.clone() }))
    };
    try_out(start, policy.options.clone(), limits)
}

/// Runs the suite for the instances that `start` returns. They must not share state.
pub fn try_out<'a>(
    start: impl Fn() -> Result<Box<dyn Subject>, PolicyFault> + 'a,
    options: Vec<(String, String)>,
    limits: PolicyLimits,
) -> impl Iterator<Item = Verdict> {
    let context = Context::new(start, options, limits);
    CHECKS.iter().flat_map(move |check| if context.findings().never_starts { Vec::new() } else { check(&context) })
}
