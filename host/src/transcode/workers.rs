//! Where transcoding runs: off the async threads, at most one job a core. More at once would not finish sooner, and each would hold
//! its memory for longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Deadline, TranscodeError};

/// The right to run a job; given back when dropped.
pub(super) type Slot = OwnedSemaphorePermit;

/// As many slots for jobs as there are cores.
#[derive(Debug, Clone)]
pub(super) struct Workers {
    slots: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { slots: Arc::new(Semaphore::new(cores)) }
    }
}

impl Workers {
    /// Waits for a slot, first come, first served.
    pub(super) async fn slot(&self) -> Result<Slot, TranscodeError> {
        Arc::clone(&self.slots).acquire_owned().await.map_err(|_| TranscodeError::Abandoned)
    }
}

/// Runs a job on a thread that may block. Its time starts when it does; when the future is dropped, it is told to stop.
pub(super) async fn run<T: Send + 'static>(
    wall_time: Duration,
    job: impl FnOnce(&Deadline) -> Result<T, TranscodeError> + Send + 'static,
) -> Result<T, TranscodeError> {
    let abandon = AbandonOnDrop(Arc::default());
    let abandoned = Arc::clone(&abandon.0);
    let job = tokio::task::spawn_blocking(move || job(&Deadline::with_abandonment(wall_time, abandoned)));
    job.await.unwrap_or_else(|stopped| Err(TranscodeError::Encoder(stopped.to_string())))
}

struct AbandonOnDrop(Arc<AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_future_tells_its_job_to_stop() {
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (stopped, has_stopped) = tokio::sync::oneshot::channel();
        let job = run(Duration::from_secs(10), move |deadline| {
            let _ = started.send(());
            let reason = loop {
                match deadline.check() {
                    Ok(()) => std::thread::yield_now(),
                    Err(reason) => break reason,
                }
            };
            stopped.send(reason).map_err(|_| TranscodeError::Abandoned)
        });
        let job = tokio::spawn(job);
        has_started.await.unwrap();
        job.abort();
        assert!(matches!(has_stopped.await.unwrap(), TranscodeError::Abandoned));
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_error() {
        let panicked = run::<()>(Duration::from_secs(600), |_| panic!("a bug")).await;
        assert!(matches!(panicked, Err(TranscodeError::Encoder(_))));
    }

    #[tokio::test]
    async fn there_are_as_many_slots_as_cores() {
        let workers = Workers::default();
        let mut taken = Vec::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            taken.push(workers.slot().await.unwrap());
        }
        assert!(workers.slots.try_acquire().is_err());
        taken.pop();
        assert!(workers.slots.try_acquire().is_ok());
    }
}
