//! The health and status of a cache. Both remain available while the component cannot be called.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use crate::cache::{CacheError, MediaCache};
use crate::driver_slices::SlicesSnapshot;
use crate::media::{Health, Status};
use crate::request::Request;

impl MediaCache {
    /// Whether new media is being stored. While the component cannot be called, the cache is [`Health::Degraded`].
    ///
    /// # Errors
    /// [`CacheError::Closed`] and [`CacheError::BrokeDown`].
    pub async fn health(&self) -> Result<Health, CacheError> {
        let component = match self.call_with_retry(Request::Health).await {
            Err(CacheError::Unavailable(outage)) => return Ok(Health::Degraded(outage.into())),
            answer => answer?,
        };
        if let Some(trouble) = self.0.availability.directory_trouble() {
            return Ok(Health::Degraded(trouble.into()));
        }
        Ok(component)
    }

    /// Subscribes to the health, which is checked once a second. The receiver is notified after each check, even if nothing has changed.
    #[must_use]
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.0.history.subscribe()
    }

    /// How long the cache has been degraded since it was opened, in total.
    #[must_use]
    pub fn degraded_time(&self) -> Duration {
        self.0.history.degraded_time()
    }

    /// The number of requests that bypassed the cache because the component could not be called.
    #[must_use]
    pub fn passed_through(&self) -> u64 {
        self.0.pass_through.requests.load(Ordering::Relaxed)
    }

    /// How long the driver thread works without checking for new requests, by kind of work.
    #[must_use]
    pub fn driver_slices(&self) -> Vec<SlicesSnapshot> {
        self.0.slices.snapshot()
    }

    /// The counters of the cache, and the status of its component and policy. While the component cannot be called, the counters are the
    /// last known ones.
    ///
    /// # Errors
    /// [`CacheError::Closed`] and [`CacheError::BrokeDown`]; [`CacheError::Unavailable`] if the component could never be called.
    pub async fn status(&self) -> Result<Status, CacheError> {
        let answer = self.call_with_retry(Request::Status).await;
        let mut latest = self.0.latest_status.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(mut status) => {
                status.cache.damaged += self.0.changed_files.load(Ordering::Relaxed);
                *latest = Some(status.clone());
                Ok(status)
            }
            Err(CacheError::Unavailable(outage)) => {
                let status = latest.clone().ok_or(CacheError::Unavailable(outage))?;
                Ok(Status { component: self.component(), policy: self.policy(), ..status })
            }
            Err(error) => Err(error),
        }
    }

    /// Checks the health and records it. If the component reports a disk failure, this makes it retry the failed operation.
    pub(crate) async fn record_health(&self) -> Result<(), CacheError> {
        let health = self.health().await?;
        let is_in_doubt = matches!(health, Health::Degraded(_))
            && self.0.availability.outage().is_none()
            && self.0.availability.directory_trouble().is_none();
        self.0.history.record(health);
        // Makes sure that a status is known in case the component cannot be called later.
        self.status().await?;
        if is_in_doubt && self.load_report().is_some() {
            // If this fails, the health shows that.
            let _ = self.checkpoint().await;
        }
        Ok(())
    }
}
