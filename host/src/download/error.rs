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
    /// What came back is no HTTP, or its headers are more than this downloader takes.
    #[error("the origin's answer cannot be used: {0}")]
    BrokenAnswer(String),
    /// The body ended before all of it had come.
    #[error("the body that the origin sent is not complete: {0}")]
    ShortBody(String),
    /// More came than was announced.
    #[error("the origin sent more than it announced: {0}")]
    OverlongBody(String),
    /// The body has no bytes.
    #[error("the origin sent an empty body")]
    EmptyBody,
    /// A part of the media came, where the whole was asked for.
    #[error("the origin sent a part (206), where the whole was asked for")]
    PartialBody,
    /// The body came in a coding that was not asked for.
    #[error("the origin sent the body encoded ({0}), which was not asked for")]
    EncodedBody(String),
    /// The media is of a type that this downloader does not take.
    #[error("the origin sent something that is not taken here: {0}")]
    UnacceptableType(String),
    /// The origin sent the request from one URL to the next for too long.
    #[error("the origin redirected more than {0} times")]
    TooManyRedirects(u32),
    /// The origin has no time for the request now, and may have later.
    #[error("the origin is busy; try again {}", later(*.retry_after_seconds))]
    Unavailable {
        /// How many seconds the origin asked to wait, if it did.
        retry_after_seconds: Option<u32>,
    },
    /// This downloader has more to do than it takes on. That says nothing of the URL.
    #[error("too many downloads are waiting; try again {}", later(*.retry_after_seconds))]
    Overloaded {
        /// After how many seconds it may be worth asking again, if there is a guess.
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
            Self::UnacceptableType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable { .. } | Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::OriginStatus(_)
            | Self::Unreachable(_)
            | Self::BrokenAnswer(_)
            | Self::ShortBody(_)
            | Self::OverlongBody(_)
            | Self::EmptyBody
            | Self::PartialBody
            | Self::EncodedBody(_)
            | Self::TooManyRedirects(_)
            | Self::Other(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// What this kind of failure is called, in `wit/downloader.wit`, in problem documents, in logs and in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().name()
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
            (FetchError::InvalidUrl(text()), 400, "invalid-url", "this URL cannot be fetched: because"),
            (FetchError::Refused(text()), 403, "refused", "refused: because"),
            (FetchError::NotFound, 404, "not-found", "the origin has nothing at this URL (it answered 404)"),
            (FetchError::Gone, 410, "gone", "the origin no longer has anything at this URL (it answered 410)"),
            (FetchError::OriginStatus(503), 502, "origin-status", "the origin answered 503"),
            (FetchError::TooLarge { limit: 7 }, 413, "too-large", "the media is larger than the limit of 7 bytes"),
            (FetchError::TimedOut(text()), 504, "timed-out", "timed out: because"),
            (FetchError::Unreachable(text()), 502, "unreachable", "the origin cannot be reached: because"),
            (FetchError::BrokenAnswer(text()), 502, "broken-answer", "the origin's answer cannot be used: because"),
            (FetchError::ShortBody(text()), 502, "short-body", "the body that the origin sent is not complete: because"),
            (FetchError::OverlongBody(text()), 502, "overlong-body", "the origin sent more than it announced: because"),
            (FetchError::EmptyBody, 502, "empty-body", "the origin sent an empty body"),
            (FetchError::PartialBody, 502, "partial-body", "the origin sent a part (206), where the whole was asked for"),
            (
                FetchError::EncodedBody("gzip".into()),
                502,
                "encoded-body",
                "the origin sent the body encoded (gzip), which was not asked for",
            ),
            (
                FetchError::UnacceptableType(text()),
                415,
                "unacceptable-type",
                "the origin sent something that is not taken here: because",
            ),
            (FetchError::TooManyRedirects(5), 502, "too-many-redirects", "the origin redirected more than 5 times"),
            (FetchError::Unavailable { retry_after_seconds: None }, 503, "unavailable", "the origin is busy; try again later"),
            (
                FetchError::Unavailable { retry_after_seconds: Some(1) },
                503,
                "unavailable",
                "the origin is busy; try again in 1 second",
            ),
            (
                FetchError::Overloaded { retry_after_seconds: Some(30) },
                503,
                "overloaded",
                "too many downloads are waiting; try again in 30 seconds",
            ),
            (FetchError::Other(text()), 502, "other", "the download failed: because"),
        ];
        for (error, status, name, message) in table {
            assert_eq!((error.status().as_u16(), error.name(), error.to_string().as_str()), (status, name, message));
        }
    }
}
