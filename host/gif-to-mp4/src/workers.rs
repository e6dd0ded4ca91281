//! Where conversions run: off the async threads, at most one job per core. More jobs would not finish sooner, and each would hold its
//! memory for longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::convert_error::ConvertError;
use crate::deadline::Deadline;

/// Permits for as many jobs as there are cores.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    permits: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { permits: Arc::new(Semaphore::new(cores)) }
    }
}

impl Workers {
    /// Waits for a permit to run a job, in order of arrival. The permit is released when dropped.
    pub(crate) async fn acquire(&self) -> Result<OwnedSemaphorePermit, ConvertError> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| ConvertError::Abandoned)
    }
}

/// Runs a job on a thread that may block. Its deadline starts with the job; dropping the future stops the job at its next check.
pub(crate) async fn run<T: Send + 'static>(
    wall_time: Duration,
    job: impl FnOnce(&Deadline) -> Result<T, ConvertError> + Send + 'static,
) -> Result<T, ConvertError> {
    let abandon = AbandonOnDrop(Arc::default());
    let abandoned = Arc::clone(&abandon.0);
    let job = tokio::task::spawn_blocking(move || job(&Deadline::or_abandoned(wall_time, abandoned)));
    job.await.unwrap_or_else(|stopped| Err(ConvertError::Encoder(stopped.to_string())))
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
    async fn dropping_the_future_stops_the_job() {
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
            stopped.send(reason).map_err(|_| ConvertError::Abandoned)
        });
        let job = tokio::spawn(job);
        has_started.await.unwrap();
        job.abort();
        assert!(matches!(has_stopped.await.unwrap(), ConvertError::Abandoned));
    }

    #[tokio::test]
    async fn panic_in_a_job_is_returned_as_an_error() {
        let panicked = run::<()>(Duration::from_secs(600), |_| panic!("a bug")).await;
        assert!(matches!(panicked, Err(ConvertError::Encoder(_))));
    }

    #[tokio::test]
    async fn number_of_permits_equals_the_number_of_cores() {
        let workers = Workers::default();
        let mut taken = Vec::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            taken.push(workers.acquire().await.unwrap());
        }
        assert!(workers.permits.try_acquire().is_err());
        taken.pop();
        assert!(workers.permits.try_acquire().is_ok());
    }
}
