//! Why a download failed, told to two audiences: a caller gets a variant to act on and an HTTP status, a human gets a sentence.
//!
//! No message holds credentials or the query string of a URL: those are secrets often enough, and messages end in logs.

use http::StatusCode;

/// Why there is no [`Download`](super::Download).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// What was asked for is not a URL, or not one that can be fetched. Asking again will not help.
    #[error("this URL cannot be fetched: {0}")]
    InvalidUrl(String),
    /// The URL, or one it redirects to, is one that must not be fetched from here.
    #[error("refused: {0}")]
    Refused(String),
    /// The origin knows of no such media.
    #[error("the origin has nothing at this URL (it answered 404)")]
    NotFound,
    /// The origin had such media once and will not have it again.
    #[error("the origin no longer has anything at this URL (it answered 410)")]
    Gone,
    /// The origin answered with a status that brings no media.
    #[error("the origin answered {0}")]
    OriginStatus(u16),
    /// The body is larger than this downloader takes.
    #[error("the media is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The most bytes a body may have.
        limit: u64,
    },
    /// The origin was too slow; the text says at what.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// There was no talking to the origin: its name, the connection, or TLS failed.
    #[error("the origin cannot be reached: {0}")]
    Unreachable(String),
    /// A body came that is not the whole media as it is.
    #[error("the body that the origin sent cannot be used: {0}")]
    BrokenBody(String),
    /// The origin sent the request from one URL to the next for too long.
    #[error("the origin redirected more than {0} times")]
    TooManyRedirects(u32),
    /// The origin has no time for the request now, and may have later.
    #[error("the origin is busy; try again {}", later(*.retry_after_seconds))]
    Unavailable {
        /// How many seconds the origin asked to wait, if it did.
        retry_after_seconds: Option<u32>,
    },
    /// Anything else; no caller can do more than report it.
    #[error("the download failed: {0}")]
    Other(String),
}

impl FetchError {
    /// The HTTP status with which to answer a request that failed for this reason.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidUrl(_) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::OriginStatus(_) | Self::Unreachable(_) | Self::BrokenBody(_) | Self::TooManyRedirects(_) | Self::Other(_) => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

fn later(seconds: Option<u32>) -> String {
    match seconds {
        Some(1) => "in 1 second".into(),
        Some(seconds) => format!("in {seconds} seconds"),
        None => "later".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_status_and_its_sentence() {
        let text = || "because".to_owned();
        let table = [
            (FetchError::InvalidUrl(text()), 400, "this URL cannot be fetched: because"),
            (FetchError::Refused(text()), 403, "refused: because"),
            (FetchError::NotFound, 404, "the origin has nothing at this URL (it answered 404)"),
            (FetchError::Gone, 410, "the origin no longer has anything at this URL (it answered 410)"),
            (FetchError::OriginStatus(503), 502, "the origin answered 503"),
            (FetchError::TooLarge { limit: 7 }, 413, "the media is larger than the limit of 7 bytes"),
            (FetchError::TimedOut(text()), 504, "timed out: because"),
            (FetchError::Unreachable(text()), 502, "the origin cannot be reached: because"),
            (FetchError::BrokenBody(text()), 502, "the body that the origin sent cannot be used: because"),
            (FetchError::TooManyRedirects(5), 502, "the origin redirected more than 5 times"),
            (FetchError::Unavailable { retry_after_seconds: None }, 503, "the origin is busy; try again later"),
            (FetchError::Unavailable { retry_after_seconds: Some(1) }, 503, "the origin is busy; try again in 1 second"),
            (FetchError::Unavailable { retry_after_seconds: Some(30) }, 503, "the origin is busy; try again in 30 seconds"),
            (FetchError::Other(text()), 502, "the download failed: because"),
        ];
        for (error, status, message) in table {
            assert_eq!((error.status().as_u16(), error.to_string().as_str()), (status, message));
        }
    }
}
