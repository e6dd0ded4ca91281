//! `/healthz` and `/readyz`: whether the process is alive, and whether its cache can be used.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::problem::Problem;
use crate::service::Service;

/// `GET /healthz`: answers as long as the process does.
pub(crate) async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// `GET /readyz`: 503 while the cache is loading, and once it is closed.
pub(crate) async fn ready(State(service): State<Service>) -> Result<Response, Problem> {
    match service.loaded_cache() {
        Some(cache) if cache.is_closed() => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the cache is closed"))
        }
        Some(_) => Ok(Json(json!({ "status": "ready" })).into_response()),
        None => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "loading", "the cache is still loading")),
    }
}
