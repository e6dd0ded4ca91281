//! The tasks that watch a cache while it is open.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::cache::{CacheError, MediaCache, Shared};
use crate::watchdog::{self, Heartbeat};

/// How often the state is checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Starts the tasks.
pub(crate) fn start(cache: &MediaCache, heartbeat: Arc<Heartbeat>, max_silence: Duration) {
    let MediaCache(shared) = cache;
    tokio::spawn(shared.hits.clone().keep_flushing());
    tokio::spawn(watchdog::watch(heartbeat, shared.availability.clone(), max_silence, shared.requests.downgrade()));
    tokio::spawn(keep_recording(Arc::downgrade(shared)));
}

/// Records the state of a cache. This also detects when a failed disk works again, even if nothing is being stored.
async fn keep_recording(cache: Weak<Shared>) {
    let mut looks = tokio::time::interval(INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(cache) = cache.upgrade().map(MediaCache) else { return };
        if let Err(CacheError::Closed) = cache.record_health().await {
            return;
        }
    }
}
