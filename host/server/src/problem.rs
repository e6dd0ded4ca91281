//! Errors as RFC 9457 problem documents, and the status and code of every error of the library.
//!
//! Documents have no `type`. It therefore defaults to `about:blank`, which requires the status phrase as the `title`. Programs
//! distinguish problems by `code`, an extension member. For a failed download, it is the name of the [`FetchError`].

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use media_cache::policy::SwapError;
use media_cache::{CacheError, ComponentError, ComponentSwapError, FetchError, StoreError, describe};
use media_cache_requests::InvalidRequest;
use serde_json::{Value, json};

/// The `Retry-After` of a degraded cache, in seconds.
const RETRY_DEGRADED: u32 = 5;

/// An error response.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after: Option<u32>,
    challenge: Option<&'static str>,
    /// Additional members of the document.
    members: Vec<(&'static str, Value)>,
    /// Whether the detail may quote the request, for example an unknown parameter.
    quotes: bool,
}

impl Problem {
    /// `code` is for programs: stable, and in kebab case. `detail` is for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, quotes) = (detail.into(), status.is_client_error());
        Self { status, code, detail, retry_after: None, challenge: None, members: Vec::new(), quotes }
    }

    /// A 503 with a `Retry-After`, because the cache is degraded.
    pub fn degraded(reason: &str) -> Self {
        let why = format!("the cache is degraded: {reason}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "degraded", why).with_retry_after(RETRY_DEGRADED)
    }

    /// Adds members to the document.
    pub fn with_members(mut self, members: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        self.members.extend(members);
        self
    }

    /// Adds a `Retry-After`, in seconds.
    pub fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// A 400 for a malformed request.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// Adds a `WWW-Authenticate` (RFC 9110, section 11.6.1), which every 401 needs.
    pub fn with_challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// The problem for a failed removal.
    pub fn not_deleted(error: CacheError) -> Self {
        match error {
            CacheError::Store(error) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "not-deleted",
                format!("not all files of the entry could be deleted: {}", describe(&error)),
            ),
            other => other.into(),
        }
    }

    /// The problem for a failed removal of several entries: some could not be deleted, or no entry can match the filter.
    pub fn entries_not_deleted(error: CacheError) -> Self {
        match error {
            CacheError::Store(StoreError::InvalidUrl(why)) => Self::bad_request(why),
            CacheError::Store(error) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "not-deleted",
                format!("not all files could be deleted: {}", describe(&error)),
            ),
            other => other.into(),
        }
    }

    /// Appends to the detail.
    pub fn and(self, more: &str) -> Self {
        Self { detail: format!("{}; {more}", self.detail), ..self }
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The detail. `None` if it may quote the request, which must not be logged.
    pub fn reason(self) -> Option<String> {
        (!self.quotes).then_some(self.detail)
    }

    /// The document, with the id of the request if it is known.
    pub fn body(&self, request_id: Option<&str>) -> Body {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut document = json!({ "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail });
        for (name, value) in &self.members {
            document[*name] = value.clone();
        }
        if let Some(id) = request_id {
            document["request_id"] = id.into();
        }
        format!("{document}\n").into()
    }
}

impl IntoResponse for Problem {
    /// The problem itself is in the response's extensions, for [`observe`](crate::observe).
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

impl From<InvalidRequest> for Problem {
    fn from(refused: InvalidRequest) -> Self {
        Self::new(refused.status, refused.code, refused.detail)
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let retry_after = match error {
            FetchError::Unavailable(retry_after_seconds) | FetchError::Overloaded(retry_after_seconds) => retry_after_seconds,
            _ => None,
        };
        // Every status in the library is a valid HTTP status.
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        let problem = Self { quotes: false, ..Self::new(status, error.name(), error.to_string()) };
        Self { retry_after, ..problem }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, code) = match error {
            StoreError::InvalidUrl(_) => (StatusCode::BAD_REQUEST, "invalid-url"),
            StoreError::Oversize(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            StoreError::Refused => (StatusCode::INSUFFICIENT_STORAGE, "not-admitted"),
            StoreError::NoStore => (StatusCode::INSUFFICIENT_STORAGE, "no-store"),
            StoreError::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
            StoreError::NoSpace(_) => (StatusCode::INSUFFICIENT_STORAGE, "no-space"),
            StoreError::Disk(_) => (StatusCode::INSUFFICIENT_STORAGE, "disk-failed"),
        };
        // The directory will be loaded soon.
        let retry_after = matches!(error, StoreError::NotReady).then_some(2);
        Self { retry_after, ..Self::new(status, code, format!("nothing was stored: {}", describe(&error))) }
    }
}

impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Fetch(error) => error.into(),
            CacheError::Store(error) => error.into(),
            CacheError::Copy(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not-deleted", error.to_string()),
            CacheError::BrokeDown => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broke-down", error.to_string()),
            CacheError::Unavailable(outage) => Self::degraded(&outage.reason),
            CacheError::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the service is shutting down"),
        }
    }
}

impl From<ComponentError> for Problem {
    fn from(error: ComponentError) -> Self {
        let (status, code) = match error {
            ComponentError::UnknownPolicy(_) => (StatusCode::NOT_FOUND, "unknown-policy"),
            ComponentError::TooCostly { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "costly-policy"),
            ComponentError::Compiler { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "compiler-failed"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "unfit-policy"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<ComponentSwapError> for Problem {
    fn from(error: ComponentSwapError) -> Self {
        let (status, code) = match error {
            ComponentSwapError::Busy => (StatusCode::CONFLICT, "swap-under-way"),
            ComponentSwapError::NothingBefore => (StatusCode::CONFLICT, "no-previous-component"),
            ComponentSwapError::Start(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faulty-component"),
            ComponentSwapError::Activate(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faulty-component"),
            ComponentSwapError::Save(_) => (StatusCode::INSUFFICIENT_STORAGE, "disk-failed"),
            ComponentSwapError::Loading => {
                let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", error.to_string());
                return Self { retry_after: Some(2), ..problem };
            }
            ComponentSwapError::Unavailable(reason) => return Self::degraded(&reason),
            ComponentSwapError::Interrupted => (StatusCode::INTERNAL_SERVER_ERROR, "broke-down"),
            ComponentSwapError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<SwapError> for Problem {
    fn from(error: SwapError) -> Self {
        let (status, code) = match error {
            SwapError::Busy => (StatusCode::CONFLICT, "swap-under-way"),
            SwapError::NothingBefore => (StatusCode::CONFLICT, "no-previous-policy"),
            SwapError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unfit-policy"),
            SwapError::Fault(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faulty-policy"),
            SwapError::CannotKeepUp => (StatusCode::UNPROCESSABLE_ENTITY, "slow-policy"),
            SwapError::Unavailable(reason) => return Self::degraded(&reason),
            SwapError::Interrupted => (StatusCode::INTERNAL_SERVER_ERROR, "broke-down"),
            SwapError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
        };
        Self::new(status, code, error.to_string())
    }
}
