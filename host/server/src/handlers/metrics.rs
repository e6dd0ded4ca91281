//! `/metrics`: the metrics of the service, for Prometheus.

use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::metrics::exposition::Format;
use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// `GET /metrics`: all metrics, in the format that the client accepts. Does not wait for a cache that is still loading.
pub(crate) async fn scrape(State(service): State<Service>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    query::none(&uri)?;
    let metrics = service.metrics();
    metrics.refresh(service.loaded_cache().as_ref()).await;
    let format = Format::accepted(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    Ok(([(header::CONTENT_TYPE, format.content_type())], metrics.text(format)).into_response())
}
