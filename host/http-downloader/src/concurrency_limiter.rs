//! Limits the number of concurrent downloads. Further downloads wait in a queue of limited length, for a limited time.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::Instrument;

use crate::limit_group::LimitGroup;
use crate::limiter_options::{LimiterCounts, LimiterOptions};
use crate::spans;
use crate::wait_queue::{DownloadId, Start, WaitQueue};
use media_cache_interfaces::FetchError;

/// Issues permits to the downloaders that share it. Clones are handles to the same limiter.
#[derive(Clone)]
pub struct ConcurrencyLimiter(Arc<Shared>);

struct Shared {
    queue: Mutex<WaitQueue>,
    options: LimiterOptions,
    closed: watch::Sender<bool>,
}

/// The right to download, or a position in the queue until that right is granted. Dropping the permit releases either.
pub(crate) struct Permit {
    limiter: ConcurrencyLimiter,
    id: DownloadId,
    /// When the download started.
    started: Option<Instant>,
}

impl ConcurrencyLimiter {
    /// Creates a limiter without downloads.
    #[must_use]
    pub fn new(options: LimiterOptions) -> Self {
        let queue = Mutex::new(WaitQueue::new(options));
        Self(Arc::new(Shared { queue, options, closed: watch::Sender::new(false) }))
    }

    /// The current counts.
    #[must_use]
    pub fn counts(&self) -> LimiterCounts {
        self.queue().counts()
    }

    pub(crate) fn options(&self) -> LimiterOptions {
        self.0.options
    }

    /// Abandons all downloads, queued or in progress, and refuses new ones.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Whether the limiter is [closed](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.0.closed.borrow()
    }

    /// Whether this failure means that the download was abandoned rather than failed: it was no longer needed, or the limiter is closed.
    #[must_use]
    pub fn has_abandoned(&self, failure: &FetchError) -> bool {
        failure.is_abandoned() || (matches!(failure, FetchError::Overloaded(_)) && self.is_closed())
    }

    /// Waits until the limiter is closed.
    pub(crate) async fn closed(&self) {
        let mut closed = self.0.closed.subscribe();
        // The sender lives as long as this limiter.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Waits for a permit for each of these groups, and then for a general one.
    pub(crate) async fn acquire(&self, groups: Vec<LimitGroup>) -> Result<Permit, FetchError> {
        let (id, start) = self.queue().enqueue(groups)?;
        let mut permit = Permit { limiter: self.clone(), id, started: None };
        permit.wait(start).await?;
        permit.started = Some(Instant::now());
        Ok(permit)
    }

    fn queue(&self) -> MutexGuard<'_, WaitQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue().is_empty()
    }
}

impl Permit {
    /// Claims a permit for an address that the download connects to, in addition to the permits that the download already has. Returns
    /// `false` if none is available, or if the download is waiting. The connection must then be closed without being used.
    pub(crate) fn claim(&self, address: IpAddr) -> bool {
        self.limiter.queue().claim(self.id, address.into())
    }

    /// Whether a [claim](Self::claim) of this address would succeed at the moment.
    pub(crate) fn may_claim(&self, address: IpAddr) -> bool {
        self.limiter.queue().may_claim(self.id, address.into())
    }

    /// Releases the permits for all addresses except that of the connection that the download uses.
    pub(crate) fn settle(&self, address: IpAddr) {
        self.limiter.queue().settle(self.id, address.into());
    }

    /// Releases the general permit, and waits for a permit for this address and then for a general one again.
    pub(crate) async fn wait_for_address(&self, address: IpAddr) -> Result<(), FetchError> {
        let start = {
            let mut queue = self.limiter.queue();
            let mut groups = queue.groups(self.id).to_vec();
            groups.retain(|group| !matches!(group, LimitGroup::Address(_)));
            groups.push(LimitGroup::Address(address.into()));
            queue.requeue(self.id, groups)?
        };
        self.wait(start).await
    }

    /// Continues with a redirect: waits for a permit for each of these groups for which the download does not have one yet.
    pub(crate) async fn redirect(&self, groups: Vec<LimitGroup>) -> Result<(), FetchError> {
        let start = {
            let mut queue = self.limiter.queue();
            if queue.groups(self.id).starts_with(&groups) {
                return Ok(());
            }
            queue.requeue(self.id, groups)?
        };
        self.wait(start).await
    }

    async fn wait(&self, start: Start) -> Result<(), FetchError> {
        match timeout(self.limiter.0.options.max_queue_time, start).instrument(spans::of_wait()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(oneshot::error::RecvError { .. })) | Err(_) => {
                let mut queue = self.limiter.queue();
                let groups = queue.groups(self.id).to_vec();
                Err(queue.refuse(&groups))
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let duration = self.started.map(|started| started.elapsed());
        self.limiter.queue().remove(self.id, duration);
    }
}

#[cfg(test)]
mod tests;
