//! What a cache says about itself. This is answered without the component while that cannot be asked.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use crate::cache::{CacheError, MediaCache};
use crate::driver_slices::SlicesSnapshot;
use crate::media::{Health, Status};
use crate::request::Request;

impl MediaCache {
    /// Whether new media is being stored.
    ///
    /// # Errors
    /// [`CacheError::Closed`], or [`CacheError::BrokeDown`].
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

    /// The state as it was found last; it is looked for once a second. The receiver is notified each time.
    #[must_use]
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.0.history.subscribe()
    }

    /// For how long the cache was degraded since it was opened, in total.
    #[must_use]
    pub fn degraded_time(&self) -> Duration {
        self.0.history.degraded_time()
    }

    /// The number of requests that were passed through to the network since the component could not be asked.
    #[must_use]
    pub fn passed_through(&self) -> u64 {
        self.0.pass_through.requests.load(Ordering::Relaxed)
    }

    /// How long the cache's thread works without looking for new requests, by what is in progress.
    #[must_use]
    pub fn driver_slices(&self) -> Vec<SlicesSnapshot> {
        self.0.slices.snapshot()
    }

    /// What the cache counts, and how its policy is. While the component cannot be asked, these are the latest counts.
    ///
    /// # Errors
    /// [`CacheError::Closed`], or [`CacheError::BrokeDown`]; [`CacheError::Unavailable`] if it was never asked before.
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

    /// Finds out the state, and records it. If the component reports that the disk fails, it tries again what failed.
    pub(crate) async fn record_health(&self) -> Result<(), CacheError> {
        let health = self.health().await?;
        let is_in_doubt = matches!(health, Health::Degraded(_))
            && self.0.availability.outage().is_none()
            && self.0.availability.directory_trouble().is_none();
        self.0.history.record(health);
        // So that there is something to say when the component cannot be asked.
        self.status().await?;
        if is_in_doubt && self.load_report().is_some() {
            // If it fails, that is a part of the health.
            let _ = self.checkpoint().await;
        }
        Ok(())
    }
}
