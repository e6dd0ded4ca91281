//! Metrics of the health of the cache, as of the last scrape.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use media_cache::MediaCache;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;

/// The states, as values of a label.
const STATES: [&str; 3] = ["storing", "degraded", "recovering"];

/// The health as of the last scrape.
#[derive(Debug, Default)]
pub(crate) struct HealthMetrics(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    state: &'static str,
    degraded_seconds: f64,
    passed_through: u64,
}

impl HealthMetrics {
    /// Replaces the previous values.
    pub fn update(&self, state: &'static str, cache: &MediaCache) {
        let (degraded_seconds, passed_through) = (cache.degraded_time().as_secs_f64(), cache.passed_through());
        let seen = Seen { state, degraded_seconds, passed_through };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

impl Collector for HealthMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Seen { state, degraded_seconds, passed_through }) = &*seen else { return Ok(()) };
        let states = STATES.map(|name| (name, u64::from(name == *state)));
        encoder.gauges("health", "The state of the cache: 1 for the current state, 0 for the others", "state", &states)?;
        encoder.counter("degraded_seconds", "Time during which nothing could be stored", *degraded_seconds)?;
        encoder.counter("passed_through", "Requests answered from the network because the cache did not respond", *passed_through)
    }
}
