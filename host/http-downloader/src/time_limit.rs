//! The time limit of a download, which excludes the time spent waiting for permits.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use media_cache_interfaces::FetchError;

/// The remaining time of a download.
pub(crate) struct TimeLimit {
    limit: Duration,
    left: Duration,
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, left: limit }
    }

    /// Runs a part of the download within the remaining time, and subtracts the time that it took.
    pub(crate) async fn run<F: Future>(&mut self, work: F) -> Result<F::Output, FetchError> {
        let started = Instant::now();
        let done = timeout(self.left, work).await;
        self.left = self.left.saturating_sub(started.elapsed());
        done.map_err(|_| FetchError::TimedOut(format!("the download did not finish within {:?}", self.limit)))
    }
}
