//! Replays of traces: what a policy would have made of what was asked for.
//!
//! A policy is asked as a cache asks it: through the same component in the same sandbox, with hits in batches, and with answers that
//! are checked before they count.

mod line;
mod plot;
mod policy;
mod replay;
mod shelf;
mod trace;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub use line::LineFault;
pub use plot::{PlotError, plot};
pub use policy::{Policy, Sandboxed};
pub use replay::{Counts, Replay, Seed};
pub(crate) use trace::fingerprint;
pub use trace::{Request, Trace, TraceError};

use crate::engine::Engine;
use crate::policy::{CreateError, PolicyChoice, PolicyFault, PolicyLimits, PolicyOrigin, PolicySpec};

/// How many requests are replayed between two looks at the progress.
const STEP: usize = 1 << 14;

/// A policy at a capacity.
#[derive(Clone)]
pub struct Job {
    /// The policy, with its options.
    pub choice: PolicyChoice,
    /// In bytes, at least 1.
    pub capacity: u64,
}

/// What came of a job.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the policy calls itself.
    pub policy: String,
    /// Where it comes from, and the options that it was given.
    pub spec: PolicySpec,
    /// All options that it has, with what they were.
    pub options: Vec<(String, String)>,
    /// In bytes.
    pub capacity: u64,
    /// What was counted: to the end of the trace, unless there is a fault.
    pub counts: Counts,
    /// How long the replay took.
    pub time: Duration,
    /// Why it stopped before the end.
    pub fault: Option<PolicyFault>,
}

/// A job that cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {why}")]
pub struct JobError {
    /// Which policy it is.
    pub origin: PolicyOrigin,
    /// What is wrong.
    pub why: CreateError,
}

/// Does jobs, as many as there are `threads` at a time. Says from time to time how many requests were replayed since it last said so;
/// after all jobs, that is the number of the trace's requests for each of them. The outcomes are in the order of the jobs.
///
/// # Errors
/// Before anything is replayed, when an option is wrong or a policy does not start.
pub fn run(
    engine: &Engine,
    trace: &Trace,
    jobs: &[Job],
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Outcome>, JobError> {
    for job in jobs {
        job.start(engine)?;
    }
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while let Some((number, job)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|number| Some((number, jobs.get(number)?)))
        {
            let outcome = job.run(engine, trace, progress);
            outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

impl Job {
    fn start(&self, engine: &Engine) -> Result<Sandboxed, JobError> {
        Sandboxed::new(engine, &self.choice, PolicyLimits::default(), self.capacity)
            .map_err(|why| JobError { origin: self.choice.component.origin().clone(), why })
    }

    fn run(&self, engine: &Engine, trace: &Trace, progress: &(dyn Fn(u64) + Sync)) -> Result<Outcome, JobError> {
        let policy = self.start(engine)?;
        let description = policy.instance().description();
        let (name, options) = (description.name.clone(), self.choice.all_options(description));
        let mut replay = Replay::new(trace, policy, self.capacity);
        let started = Instant::now();
        let mut left = trace.requests().len();
        let mut fault = None;
        while left > 0 {
            let step = left.min(STEP);
            fault = replay.run(step).err();
            let done = if fault.is_some() { left } else { step };
            progress(done as u64);
            left -= done;
        }
        let (time, counts) = (started.elapsed(), replay.counts());
        Ok(Outcome { policy: name, spec: self.choice.spec(), options, capacity: self.capacity, counts, time, fault })
    }
}

impl Outcome {
    /// Which part of the requests were misses.
    #[must_use]
    pub fn object_miss_ratio(&self) -> f64 {
        self.counts.object_misses as f64 / self.counts.requests.max(1) as f64
    }

    /// Which part of the bytes that were asked for were missed.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        self.counts.missed_bytes as f64 / self.counts.requested_bytes.max(1) as f64
    }
}
