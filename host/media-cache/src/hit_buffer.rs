//! Hits that were served without the component, until it counts them.
//!
//! The buffer is flushed after a twentieth of a second, before the next request, and before the decision that follows a download,
//! whichever comes first. So the order of use and the counters are exact.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::request::Request;

/// For how long a hit stays untold at most, while nothing else happens.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// The most hits that are kept for a component that takes none.
const MAX_HITS: usize = 1 << 20;

/// A handle that is no entry's: a hit with it is counted, and changes no order.
const NO_ENTRY: u64 = u64::MAX;

/// Hits that the component was not told of yet.
pub(crate) struct HitBuffer {
    handles: Mutex<Vec<u64>>,
    added: Notify,
    driver: mpsc::WeakSender<Request>,
}

impl HitBuffer {
    pub fn new(driver: mpsc::WeakSender<Request>) -> Self {
        Self { handles: Mutex::default(), added: Notify::new(), driver }
    }

    /// Notes a hit. If the component has taken none for very long, it is not noted.
    pub fn add(&self, handle: u64) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.len() == MAX_HITS {
            return;
        }
        handles.push(handle);
        if handles.len() == MAX_HITS {
            tracing::warn!("the cache component has taken no hits for so long that further ones are not counted");
        }
        if handles.len() == 1 {
            self.added.notify_one();
        }
    }

    /// Takes the hits, the oldest first.
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The handles so far mean nothing to the instance that follows. Their hits still count.
    pub fn forget_handles(&self) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).fill(NO_ENTRY);
    }

    /// Has the component told of all hits so far. Comes back at once where there are none, or no component any more.
    pub async fn flush(&self) {
        if self.handles.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return;
        }
        let Some(driver) = self.driver.upgrade() else { return };
        let (told, done) = oneshot::channel();
        if driver.send(Request::FlushHits(told)).await.is_ok() {
            drop(driver);
            let _ = done.await;
        }
    }

    /// Tells the component of hits for as long as it is there.
    pub async fn keep_flushing(self: Arc<Self>) {
        while self.driver.strong_count() > 0 {
            // A hit that comes while nobody listens leaves a permit behind, so none is missed.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.added.notified()).await;
            tokio::time::sleep(MAX_DELAY).await;
            self.flush().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hits_are_taken_in_order_and_nobody_waits_for_a_component_that_is_gone() {
        let (sender, receiver) = mpsc::channel(1);
        let hits = HitBuffer::new(sender.downgrade());
        hits.add(9);
        hits.forget_handles();
        hits.add(3);
        hits.add(1);
        drop(receiver);
        hits.flush().await;
        drop(sender);
        hits.flush().await;
        assert_eq!(hits.take(), [NO_ENTRY, 3, 1]);
        assert!(hits.take().is_empty());
    }
}
