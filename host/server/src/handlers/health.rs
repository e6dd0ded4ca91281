//! `/healthz` and `/readyz`: whether the process is alive, and whether its cache can be used.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use media_cache::{Degradation, Health, MediaCache};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::service::Service;

/// `GET /healthz`: answers as long as the process does.
pub(crate) async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// `GET /readyz`: 503 while the cache is opened, while it is degraded, and once it is closed. A cache that is recovering counts as ready:
/// it serves, and will store.
pub(crate) async fn ready(State(service): State<Service>) -> Result<Response, Problem> {
    let Some(cache) = service.loaded_cache() else {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "loading", "the cache is still loading"));
    };
    match cache.health().await? {
        Health::Degraded(Degradation { reason, since }) => Err(Problem::degraded(&reason).with_members([
            ("state", "degraded".into()),
            ("reason", reason.into()),
            ("since", seconds(since).into()),
        ])),
        health => Ok(Json(json!({ "status": "ready", "state": state(&health) })).into_response()),
    }
}

/// The health of a cache as a JSON object: its state and, if that is degraded, why and since when, in seconds since 1970.
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

/// A time in milliseconds as seconds with fractions.
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
