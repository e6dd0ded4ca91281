//! The time that a download may take, of which waiting for permits is no part.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use media_cache_interfaces::FetchError;

/// What is left of the time for a download.
pub(crate) struct TimeLimit {
    limit: Duration,
    left: Duration,
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, left: limit }
    }

    /// Runs a part of the download in the time that is left, and takes off what it took.
    pub(crate) async fn run<F: Future>(&mut self, work: F) -> Result<F::Output, FetchError> {
        let started = Instant::now();
        let done = timeout(self.left, work).await;
        self.left = self.left.saturating_sub(started.elapsed());
        done.map_err(|_| FetchError::TimedOut(format!("the download was not done within {:?}", self.limit)))
    }
}
