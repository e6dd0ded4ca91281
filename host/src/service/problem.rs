//! What went wrong, for the client: a problem document (RFC 9457) with the status that fits.
//!
//! `title` is the phrase of the status, as the type `about:blank` wants it, which is the type of a document that names none. What a
//! program is to tell apart is in `code`, an extension member: a failed download has the name of its [`FetchError`] there.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::cache::{CacheError, describe};
use crate::download::FetchError;
use crate::media::StoreError;

/// A problem, as a response.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after: Option<u32>,
    challenge: Option<&'static str>,
    /// Whether the detail may hold the client's own words, such as a parameter that is not known.
    quotes: bool,
}

impl Problem {
    /// `code` is for programs, in kebab case, and stays what it is; `detail` is for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None, challenge: None, quotes: status.is_client_error() }
    }

    /// The same, and when to come back: in so many seconds.
    pub fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// How the client could say who it is (RFC 9110, section 11.6.1). Every 401 needs that.
    pub fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What the log may say of it: nothing that the client wrote.
    pub fn reason(self) -> Option<String> {
        (!self.quotes).then_some(self.detail)
    }

    /// The document, with the id of the request where that is known.
    pub fn body(&self, request_id: Option<&str>) -> Body {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut document = json!({ "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail });
        if let Some(id) = request_id {
            document["request_id"] = id.into();
        }
        format!("{document}\n").into()
    }
}

impl IntoResponse for Problem {
    /// The problem itself is among the extensions, for who watches requests.
    fn into_response(self) -> Response {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [content_type], self.body(None)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let retry_after = match error {
            FetchError::Unavailable { retry_after_seconds } | FetchError::Overloaded { retry_after_seconds } => retry_after_seconds,
            _ => None,
        };
        Self { status: error.status(), code: error.name(), detail: error.to_string(), retry_after, challenge: None, quotes: false }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, code) = match error {
            StoreError::InvalidUrl(_) => (StatusCode::BAD_REQUEST, "invalid-url"),
            StoreError::Oversize(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            StoreError::Refused => (StatusCode::INSUFFICIENT_STORAGE, "not-admitted"),
            StoreError::Disk(_) => (StatusCode::INSUFFICIENT_STORAGE, "disk-failed"),
        };
        Self::new(status, code, format!("nothing was stored: {}", describe(&error)))
    }
}

impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Fetch(error) => error.into(),
            CacheError::Store(error) => error.into(),
            CacheError::BrokeDown => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broke-down", error.to_string()),
            CacheError::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the service is shutting down"),
        }
    }
}
