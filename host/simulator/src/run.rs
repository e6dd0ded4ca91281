//! Runs jobs in parallel.

use std::num::NonZeroUsize;

use media_cache::policy::PolicyEngine;

use crate::job::{Job, JobError};
use crate::outcome::Outcome;
use crate::parallel::in_parallel;
use media_cache_trace::Trace;

/// Runs jobs on up to `threads` threads and returns the outcomes in the order of the jobs.
///
/// `engine` must be the one that compiled the policies. `progress` is called from these threads with the number of requests replayed
/// since the previous call; after all jobs, the numbers add up to the length of the trace for each job.
///
/// # Errors
/// If an option is invalid or a policy cannot be started. All policies are started before the first request is replayed.
pub fn run(
    engine: &PolicyEngine,
    trace: &Trace,
    jobs: &[Job],
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Outcome>, JobError> {
    for job in jobs {
        job.start(engine)?;
    }
    in_parallel(threads, jobs, |job| job.run(engine, trace, progress)).into_iter().collect()
}
