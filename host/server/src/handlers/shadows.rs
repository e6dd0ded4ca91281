//! `/shadows`: the report on the policies that are simulated next to the active one.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// `GET /shadows`: the current report.
pub(crate) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    Ok(Json(report(&service)?).into_response())
}

/// The current report.
pub(crate) fn report(service: &Service) -> Result<Value, Problem> {
    let why = "no shadow policies are running, so there is nothing to compare the active policy with";
    let shadows = service.shadows().ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no-shadows", why))?;
    Ok(shadows.document())
}
