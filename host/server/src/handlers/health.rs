//! `/healthz` and `/readyz`: whether the process is alive, and whether its cache can be used.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use media_cache::{Degradation, Health};
use serde_json::json;

use crate::health_document::{seconds, state};
use crate::problem::Problem;
use crate::service::Service;

/// `GET /healthz`: succeeds as long as the process is running.
pub(crate) async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// `GET /readyz`: returns 503 while the cache is being opened, while it is degraded, and after it has been closed. A recovering cache
/// counts as ready, because it serves requests and will store media. So does one whose second tier fails, since its media then comes from
/// the origins.
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
        health => {
            let mut document = json!({ "status": "ready", "state": state(&health) });
            if let Some(tier) = service.tier() {
                document["tier"] = tier.report().state();
            }
            Ok(Json(document).into_response())
        }
    }
}
