//! Limits how many downloads run at once. The others wait in a queue; a download waits only for so long, and only so many may wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::wait_queue::{DownloadId, LimiterCounts, LimiterOptions, WaitQueue};
use media_cache_interfaces::FetchError;

/// Issues permits to the downloaders that share it. Clones are handles to the same limiter.
#[derive(Clone)]
pub struct ConcurrencyLimiter(Arc<Shared>);

struct Shared {
    queue: Mutex<WaitQueue>,
    max_queue_time: Duration,
    closed: watch::Sender<bool>,
}

/// The right to download, or a place in the queue until then. Dropping it releases either.
pub(crate) struct Permit {
    limiter: ConcurrencyLimiter,
    host: Box<str>,
    id: DownloadId,
    /// When the download started.
    started: Option<Instant>,
}

impl ConcurrencyLimiter {
    /// A limiter without downloads.
    #[must_use]
    pub fn new(options: LimiterOptions) -> Self {
        let (queue, max_queue_time) = (Mutex::new(WaitQueue::new(options)), options.max_queue_time);
        Self(Arc::new(Shared { queue, max_queue_time, closed: watch::Sender::new(false) }))
    }

    /// The current counts.
    #[must_use]
    pub fn counts(&self) -> LimiterCounts {
        self.queue().counts()
    }

    /// Abandons all downloads, queued or in progress, and refuses new ones.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Waits until the limiter is closed.
    pub(crate) async fn closed(&self) {
        let mut closed = self.0.closed.subscribe();
        // The sender lives as long as this limiter.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Waits for a permit to download from this host.
    pub(crate) async fn acquire(&self, host: &str) -> Result<Permit, FetchError> {
        let (id, started) = self.queue().enqueue(host)?;
        let mut permit = Permit { limiter: self.clone(), host: host.into(), id, started: None };
        match timeout(self.0.max_queue_time, started).await {
            Ok(Ok(())) => {
                permit.started = Some(Instant::now());
                Ok(permit)
            }
            Ok(Err(oneshot::error::RecvError { .. })) | Err(_) => Err(self.queue().refuse(host)),
        }
    }

    fn queue(&self) -> MutexGuard<'_, WaitQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue().is_empty()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let duration = self.started.map(|started| started.elapsed());
        self.limiter.queue().remove(&self.host, self.id, duration);
    }
}
