//! What the dashboard remembers: samples of the counters, the changes of the policy, and how many streams of events are open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use media_cache::policy::PolicyStatus;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::dashboard::history::History;
use crate::dashboard::policy_history::{Cause, PolicyHistory};
use crate::metrics::requests::MediaCounts;

/// The maximum number of streams of events. Each takes a little processor time per second.
pub(crate) const MAX_STREAMS: usize = 8;

/// The state of the dashboard, which all listeners share.
pub(crate) struct DashboardState {
    history: Mutex<History>,
    policies: Mutex<PolicyHistory>,
    streams: Arc<Semaphore>,
    /// Whether the service is stopping.
    stopping: watch::Sender<bool>,
    /// When the service started.
    pub since: SystemTime,
}

impl DashboardState {
    pub fn new() -> Self {
        Self {
            history: Mutex::new(History::new()),
            policies: Mutex::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            stopping: watch::channel(false).0,
            since: SystemTime::now(),
        }
    }

    /// A permit for a stream. `None` if there are too many.
    pub fn stream(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().try_acquire_owned().ok()
    }

    /// Adds a sample of the counters.
    pub fn sample(&self, counts: MediaCounts) {
        lock(&self.history).add(SystemTime::now(), counts);
    }

    /// Records the policy, and how it became active if that is known.
    pub fn observe_policy(&self, status: &PolicyStatus, cause: Option<Cause>) {
        lock(&self.policies).observe(status, cause);
    }

    /// All samples.
    pub fn samples(&self) -> Value {
        lock(&self.history).document()
    }

    /// The newest samples.
    pub fn newest_samples(&self) -> Value {
        lock(&self.history).newest()
    }

    /// The changes of the policy, the newest first.
    pub fn policy_changes(&self) -> Value {
        lock(&self.policies).document()
    }

    /// Ends all streams.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Becomes true when the service stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
