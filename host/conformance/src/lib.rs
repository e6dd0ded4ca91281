//! The conformance suite for eviction policies. It checks what `wit/policy/eviction.wit` requires of every policy, with reproducible
//! sequences of calls.
//!
//! A model of a cache plays the sequences against the policy, and checks each answer against the tracked entries. Sequences differ in their
//! access pattern (skewed popularity, one-time scans, loops slightly larger than the cache, constant churn), in the tier (a few items of
//! size 1, or bytes on disk with very different sizes), and in the operations mixed in: restored entries, removals, victims that stay,
//! candidates that are not stored, and clocks that stop or step back.
//!
//! The suite does not compare how well policies rank entries. A policy fails if it violates the contract or is useless in practice.
//!
//! ```no_run
//! use media_cache::policy::{PolicyEngine, PolicyLimits, PolicySpec};
//!
//! let engine = PolicyEngine::new()?;
//! let spec: PolicySpec = "./mine.wasm:depth=4".parse()?;
//! for verdict in media_cache_conformance::run(&engine, &spec.choose(&engine)?, PolicyLimits::default()) {
//!     println!("{:?} {}: {}", verdict.outcome, verdict.check, verdict.detail);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access_pattern;
mod call;
mod call_log;
mod checks;
mod context;
mod counterexample;
mod interruptible;
mod model;
mod observations;
mod player;
mod random;
mod sandboxed;
mod sequence;
mod subject;
mod suite;
mod text;
mod tier;
mod timed_subject;
mod verdict;
mod zipf;

pub use subject::Subject;
pub use suite::{run, run_until, try_out};
pub use verdict::{Outcome, Verdict};
