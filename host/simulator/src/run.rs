//! Runs jobs in parallel.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use media_cache::policy::PolicyEngine;

use crate::job::{Job, JobError};
use crate::outcome::Outcome;
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
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while let Some((number, job)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|number| Some((number, jobs.get(number)?)))
        {
            let outcome = job.run(engine, trace, progress);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
