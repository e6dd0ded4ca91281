//! One policy at one capacity, replayed from the first request to the last.

use std::time::Instant;

use media_cache::policy::{CreateError, PolicyChoice, PolicyEngine, PolicyLimits, PolicyOrigin};

use crate::outcome::Outcome;
use crate::policy::Sandboxed;
use crate::replay::Replay;
use media_cache_trace::Trace;

/// Requests replayed between two progress reports.
pub(crate) const PROGRESS_INTERVAL: usize = 1 << 14;

/// A replay to run: a policy at one capacity.
#[derive(Clone)]
pub struct Job {
    /// The policy with its options.
    pub choice: PolicyChoice,
    /// The capacity in bytes, at least 1.
    pub capacity: u64,
}

/// The error of a job whose policy cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {error}")]
pub struct JobError {
    /// The origin of the policy.
    pub origin: PolicyOrigin,
    /// Why it cannot be started.
    pub error: CreateError,
}

impl Job {
    /// Starts the policy in a new instance.
    pub(crate) fn start(&self, engine: &PolicyEngine) -> Result<Sandboxed, JobError> {
        Sandboxed::new(engine, &self.choice, PolicyLimits::default(), self.capacity)
            .map_err(|error| JobError { origin: self.choice.component.origin().clone(), error })
    }

    /// Replays the trace. The numbers passed to `progress` add up to the length of the trace, even if the policy faults.
    pub(crate) fn run(&self, engine: &PolicyEngine, trace: &Trace, progress: &(dyn Fn(u64) + Sync)) -> Result<Outcome, JobError> {
        let policy = self.start(engine)?;
        let description = policy.instance().description();
        let (name, options) = (description.name.clone(), self.choice.all_options(description));
        let mut replay = Replay::new(trace, policy, self.capacity);
        let started = Instant::now();
        let mut left = trace.requests().len();
        let mut fault = None;
        while left > 0 {
            let step = left.min(PROGRESS_INTERVAL);
            fault = replay.run(step).err();
            let done = if fault.is_some() { left } else { step };
            progress(done as u64);
            left -= done;
        }
        let (time, counts) = (started.elapsed(), replay.counts());
        Ok(Outcome { policy: name, spec: self.choice.spec(), options, capacity: self.capacity, counts, time, fault })
    }
}
