//! One setting of a policy, replayed.

use media_cache::policy::{CreateError, PolicyEngine, PolicyFault};

use crate::job::{Job, PROGRESS_INTERVAL};
use crate::objective::Objective;
use crate::replay::Replay;
use media_cache_trace::Trace;

/// Why a trial has no result.
pub(crate) enum TrialError {
    /// The policy rejects this combination of options.
    Options,
    Fault(PolicyFault),
}

impl From<PolicyFault> for TrialError {
    fn from(fault: PolicyFault) -> Self {
        Self::Fault(fault)
    }
}

/// Replays a trace up to the last of `ends`, which are numbers of requests in ascending order, and returns the value of the objective at
/// each of them.
pub(crate) fn values_at(
    ends: &[usize],
    (engine, trace): (&PolicyEngine, &Trace),
    job: &Job,
    objective: Objective,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<f64>, TrialError> {
    let policy = job.start(engine).map_err(|error| match error.error {
        CreateError::Options(_) => TrialError::Options,
        CreateError::Fault(fault) => TrialError::Fault(fault),
    })?;
    let mut replay = Replay::new(trace, policy, job.capacity);
    let mut done = 0;
    let mut values = Vec::with_capacity(ends.len());
    for end in ends {
        while done < *end {
            let step = (end - done).min(PROGRESS_INTERVAL);
            replay.run(step)?;
            progress(step as u64);
            done += step;
        }
        values.push(objective.of(&replay.counts()));
    }
    Ok(values)
}
