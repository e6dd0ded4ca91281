//! The conformance suite for eviction policies: what `wit/eviction.wit` asks of every policy, whoever wrote it, tried on sequences of
//! calls that are made up, but the same every time.
//!
//! A model of a cache plays sequences of several shapes to the policy (what is popular stays popular, one-time scans, loops a little
//! larger than the cache, constant change; a few items of size 1, and bytes on a disk with sizes that differ a lot) with what happens
//! besides (a start with entries that were there before, removals, victims that stay, candidates that are not stored, times that
//! stand still or go back), and checks each answer against what resides. What a policy answers may be better or worse; the suite
//! fails only what is wrong under the contract, or of no use to anybody.
//!
//! ```no_run
//! use media_cache::{Engine, PolicyLimits, PolicySpec, conformance};
//!
//! let engine = Engine::new()?;
//! let spec: PolicySpec = "./mine.wasm:depth=4".parse()?;
//! for verdict in conformance::run(&engine, &spec.choose(&engine)?, PolicyLimits::default()) {
//!     println!("{:?} {}: {}", verdict.outcome, verdict.check, verdict.detail);
//! }
//! # Ok::<(), wasmtime::Error>(())
//! ```

mod checks;
mod log;
mod meter;
mod model;
mod player;
mod random;
mod sequences;
mod subject;

use std::cell::Cell;

pub use subject::Subject;

use crate::engine::Engine;
use crate::policy::{PolicyChoice, PolicyFault, PolicyLimits};

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was checked, as a sentence about a policy without its subject.
    pub check: &'static str,
    /// Whether it is so.
    pub outcome: Outcome,
    /// What was tried and measured; or the counterexample, over several lines.
    pub detail: String,
}

/// Whether a check was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Passed,
    /// It was not, and the detail says why.
    Failed,
    /// It could not be tried, or not to the end, because of something that another check says.
    Untried,
}

/// What is tried, and how.
struct Context<'a> {
    start: Box<dyn Fn() -> Result<Box<dyn Subject>, PolicyFault> + 'a>,
    options: Vec<(String, String)>,
    limits: PolicyLimits,
    known: Cell<Known>,
}

/// What checks found that came before.
#[derive(Clone, Copy, Default)]
struct Known {
    /// It does not even start: nothing else can be tried.
    never_starts: bool,
    /// It names what it should not, or frees too little: nothing that comes after is the reason.
    wrong_names: bool,
    too_little: bool,
}

/// Runs a component with its options through the suite, each instance within `limits`. The checks run as verdicts are asked for. One
/// that does not even start has a single verdict.
pub fn run(engine: &Engine, policy: &PolicyChoice, limits: PolicyLimits) -> impl Iterator<Item = Verdict> + use<> {
    let (engine, choice) = (engine.clone(), policy.clone());
    try_out(move || subject::Sandboxed::start(&engine, &choice, limits), policy.options.clone(), limits)
}

/// Runs whatever `start` starts through the suite. Each call of it is to make an instance that knows nothing of those before.
pub fn try_out<'a>(
    start: impl Fn() -> Result<Box<dyn Subject>, PolicyFault> + 'a,
    options: Vec<(String, String)>,
    limits: PolicyLimits,
) -> impl Iterator<Item = Verdict> {
    let context = Context { start: Box::new(start), options, limits, known: Cell::default() };
    checks::ALL.iter().flat_map(move |check| if context.known.get().never_starts { Vec::new() } else { check(&context) })
}

impl Verdict {
    /// Whether the check was passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    fn passed(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Passed, detail: detail.into() }
    }

    fn failed(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Failed, detail: detail.into() }
    }

    fn untried(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Untried, detail: detail.into() }
    }
}
