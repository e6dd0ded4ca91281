//! Stands for the host's problems, of which parsers need only that they can be made.

use http::StatusCode;

#[derive(Debug)]
#[allow(dead_code, reason = "shown where a property does not hold")]
pub(crate) struct Problem(StatusCode, String);

impl Problem {
    pub fn new(status: StatusCode, _code: &'static str, detail: impl Into<String>) -> Self {
        Self(status, detail.into())
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }
}
