//! The health of a cache in documents and metrics.

use media_cache::{Degradation, Health, MediaCache};
use serde_json::{Value, json};

/// The health of a cache as a JSON object: its state and, if it is degraded, the reason and the time at which it became degraded, in
/// seconds since 1970.
pub(crate) fn health_document(cache: &MediaCache, health: &Health) -> Value {
    let mut document = json!({
        "state": state(health),
        "degraded_seconds": cache.degraded_time().as_secs_f64(),
        "passed_through": cache.passed_through(),
    });
    if let Health::Degraded(Degradation { reason, since }) = health {
        document["reason"] = reason.as_str().into();
        document["since"] = seconds(*since).into();
    }
    document
}

/// The name of a state, in documents and metrics.
pub(crate) fn state(health: &Health) -> &'static str {
    match health {
        Health::Storing => "storing",
        Health::Degraded(_) => "degraded",
        Health::Recovering => "recovering",
    }
}

/// Converts milliseconds to fractional seconds.
pub(crate) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
