//! What went wrong, for the client: a problem document (RFC 9457) with the status that fits.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::cache::{CacheError, describe};
use crate::download::FetchError;
use crate::media::StoreError;

/// A problem, as a response.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after: Option<u32>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let document = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [content_type], format!("{document}\n")).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let retry_after = match error {
            FetchError::Unavailable { retry_after_seconds } | FetchError::Overloaded { retry_after_seconds } => retry_after_seconds,
            _ => None,
        };
        Self { status: error.status(), detail: error.to_string(), retry_after }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::InvalidUrl(_) => StatusCode::BAD_REQUEST,
            StoreError::Oversize(_) => StatusCode::PAYLOAD_TOO_LARGE,
            StoreError::Refused | StoreError::Disk(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self::new(status, format!("nothing was stored: {}", describe(&error)))
    }
}

impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Fetch(error) => error.into(),
            CacheError::Store(error) => error.into(),
            CacheError::BrokeDown => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            CacheError::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down"),
        }
    }
}
