//! Hands the directory over to a process that claims it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use media_cache::{CacheError, MediaCache};
use tokio::time::{Instant, timeout};

use crate::takeover::{FAILURE_PAUSE, Shared, State};

/// How long the cache may take to finish its downloads before they are abandoned.
const MAX_DOWNLOADS: Duration = Duration::from_secs(5);

/// How long closing may take after that.
const MAX_CLOSE: Duration = Duration::from_secs(10);

impl Shared {
    /// Hands the directory over to a process that claims it, and attaches to that process.
    pub fn hand_over(self: Arc<Self>) -> BoxFuture<'static, ()> {
        // A type of its own, since this is part of a cycle.
        async move {
            self.release().await;
            let shared = Arc::downgrade(&self);
            drop(self);
            // Even if no call is made.
            while let Some(shared) = shared.upgrade() {
                match shared.resume().await {
                    Ok(()) | Err(CacheError::Closed) => return,
                    Err(error) => {
                        tracing::warn!("cannot attach to {} after it was handed over: {error}", shared.directory.display())
                    }
                }
                drop(shared);
                tokio::time::sleep(FAILURE_PAUSE).await;
            }
        }
        .boxed()
    }

    /// Closes the cache and releases the directory.
    async fn release(&self) {
        let _changing = self.changing.lock().await;
        if !matches!(self.state(), State::Owner(..)) {
            return;
        }
        tracing::info!("handing {} over to a process that claims it", self.directory.display());
        let State::Owner(cache, listener) = self.set(State::HandedOver) else { return };
        if let Some(listener) = listener.lock().await.take() {
            listener.stop().await;
        }
        if let Err(error) = self.close(&cache).await {
            tracing::warn!("{} was not closed cleanly before it was handed over: {error}", self.directory.display());
        }
    }

    async fn close(&self, cache: &MediaCache) -> Result<(), CacheError> {
        let mut closing = std::pin::pin!(cache.close_within(MAX_DOWNLOADS + MAX_CLOSE));
        match timeout(MAX_DOWNLOADS, &mut closing).await {
            Ok(closed) => closed,
            Err(_) => {
                self.interruptions.send_modify(|count| *count += 1);
                closing.await
            }
        }
    }

    /// Attaches to the process to which the directory was handed over, or takes it back if that process has ended. Returns immediately if that
    /// has happened already.
    pub async fn resume(self: &Arc<Self>) -> Result<(), CacheError> {
        let _changing = self.changing.lock().await;
        match self.state() {
            State::HandedOver => self.enter_unless_closed((Instant::now(), SystemTime::now()), None).await,
            _ => Ok(()),
        }
    }
}
