//! Why a request is refused.

use http::StatusCode;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidRequest {
    /// The HTTP status of the response.
    pub status: StatusCode,
    /// A stable code for programs, in kebab case.
    pub code: &'static str,
    /// An explanation for people. It may quote the request.
    pub detail: String,
}

impl InvalidRequest {
    /// A 400 for a malformed request.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "bad-request", detail: detail.into() }
    }

    /// A 404 for a path that is not one of media.
    pub(crate) fn no_such_path() -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "no-such-path", detail: "this is not a path of media".into() }
    }

    /// A 403 for a missing, malformed, wrong or expired signature.
    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code, detail: detail.into() }
    }
}
