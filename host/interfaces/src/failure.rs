//! The reasons why downloads fail. Each has a variant that callers can act on, with an HTTP status and a name, and a message for people.
//!
//! The table below, [`for_each_failure`](crate::for_each_failure), is the only list of failures. Each row becomes a variant of
//! [`FetchError`], a [`FailureKind`] with its name and status, and a conversion from and to the WIT.
//!
//! No message contains credentials or the query string of a URL. Both are often secret, and messages end up in logs.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::custom_failure::CustomFailure;

/// Declares [`FetchError`] and [`FailureKind`] from the rows of the table.
macro_rules! declare {
    ($(
        $(#[$attribute:meta])*
        $kind:ident $(($(#[$role:meta])? $field:ident: $type:ty))? => $name:literal, $status:literal;
    )+) => {
        /// Why a download produced no [`FetchedMedia`](crate::fetched_media::FetchedMedia).
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum FetchError {
            $($(#[$attribute])* $kind $(($(#[$role])? $type))?,)+
        }

        /// The kind of a [`FetchError`]: the variant without its payload. Settings refer to failures by kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FailureKind {
            $(#[doc = concat!("[`FetchError::", stringify!($kind), "`].")] $kind,)+
        }

        impl FetchError {
            /// The kind of this failure.
            #[must_use]
            pub fn kind(&self) -> FailureKind {
                match self {
                    $(Self::$kind { .. } => FailureKind::$kind,)+
                }
            }
        }

        impl FailureKind {
            /// Every kind, in the order of [`FetchError`].
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// The name of the kind in `wit/cache/failures.wit`, problem documents, logs and metrics, such as `not-found`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The HTTP status of the response to a request that failed for this reason.
            #[must_use]
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)+
                }
            }
        }
    };
}

/// Calls a macro with a row for every failure, of the form
/// `#[error(MESSAGE)] Variant(PAYLOAD: TYPE) => NAME, HTTP STATUS;`, where a payload can have an attribute. Variants and payloads are those of `wit/cache/failures.wit`.
#[macro_export]
macro_rules! for_each_failure {
    ($callback:ident) => {
        $callback! {
            /// The URL is malformed, or of a kind that is never fetched. Retrying does not help.
            #[error("this URL cannot be fetched: {0}")]
            InvalidUrl(reason: String) => "invalid-url", 400;

            /// The downloader is not allowed to fetch the URL, or one that it redirects to.
            #[error("refused: {0}")]
            Refused(reason: String) => "refused", 403;

            /// The origin has nothing at the URL: it responded with 404.
            #[error("the origin has nothing at this URL (status 404)")]
            NotFound => "not-found", 404;

            /// The media is permanently gone from the origin, which responded with 410.
            #[error("the origin no longer has anything at this URL (status 410)")]
            Gone => "gone", 410;

            /// The origin denied access. The number is its status, 401 or 403.
            #[error("the origin denied access: it requires credentials, or does not allow this service (status {0})")]
            Denied(status: u16) => "denied", 403;

            /// The origin withholds the media for legal reasons: it responded with 451 (RFC 7725).
            #[error("the origin withholds this media for legal reasons (status 451)")]
            UnavailableForLegalReasons => "unavailable-for-legal-reasons", 451;

            /// The origin responded with this status, which no other variant covers.
            #[error("the origin responded with status {0}")]
            OriginStatus(status: u16) => "origin-status", 502;

            /// The body is larger than the downloader's limit, which is given in bytes.
            #[error("the media is larger than the limit of {0} bytes")]
            TooLarge(limit: u64) => "too-large", 413;

            /// The origin was too slow. The text names the step.
            #[error("timed out: {0}")]
            TimedOut(what: String) => "timed-out", 504;

            /// The origin could not be reached: name resolution, connection or TLS failed.
            #[error("the origin cannot be reached: {0}")]
            Unreachable(reason: String) => "unreachable", 502;

            /// The response is not valid HTTP, or its headers exceed the downloader's limits.
            #[error("the origin's response cannot be used: {0}")]
            BrokenAnswer(reason: String) => "broken-answer", 502;

            /// The body ended early.
            #[error("the origin sent an incomplete body: {0}")]
            ShortBody(reason: String) => "short-body", 502;

            /// The origin sent more bytes than it declared.
            #[error("the origin sent more than it declared: {0}")]
            OverlongBody(reason: String) => "overlong-body", 502;

            /// The body is empty.
            #[error("the origin sent an empty body")]
            EmptyBody => "empty-body", 502;

            /// The origin sent a part of the body (206), although the whole body was requested.
            #[error("the origin sent only a part of the body (206), although the whole body was requested")]
            PartialBody => "partial-body", 502;

            /// The body has this content coding, although none was requested.
            #[error("the origin encoded the body ({0}), although no encoding was requested")]
            EncodedBody(coding: String) => "encoded-body", 502;

            /// The downloader does not accept the media type.
            #[error("the media has a type that is not accepted: {0}")]
            UnacceptableType(reason: String) => "unacceptable-type", 415;

            /// The origin redirected more often than this limit allows.
            #[error("the origin redirected more than {0} times")]
            TooManyRedirects(limit: u32) => "too-many-redirects", 502;

            /// The origin is temporarily unavailable. The download can be retried after this many seconds, if the origin stated a time.
            #[error(fmt = fmt_unavailable)]
            Unavailable(seconds: Option<u32>) => "unavailable", 503;

            /// The downloader has no capacity left, regardless of the URL. The download can be retried after this many seconds, if there is
            /// an estimate.
            #[error(fmt = fmt_overloaded)]
            Overloaded(seconds: Option<u32>) => "overloaded", 503;

            /// A custom downloader failed.
            #[error("the custom downloader failed: {0}")]
            Custom(#[source] failure: CustomFailure) => "custom", 502;

            /// Any other failure. The text describes it.
            #[error("the download failed: {0}")]
            Other(reason: String) => "other", 502;
        }
    };
}

for_each_failure!(declare);

/// The reason given by [`FetchError::abandoned`].
const ABANDONED: &str = "the download was abandoned";

impl FetchError {
    /// A download was abandoned because it was no longer needed. It did not fail.
    #[must_use]
    pub fn abandoned() -> Self {
        Self::Other(ABANDONED.into())
    }

    /// Whether this is [`abandoned`](Self::abandoned).
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        matches!(self, Self::Other(reason) if reason == ABANDONED)
    }

    /// The failure of a custom downloader, with the error that caused it. Every request that was coalesced with the failed one gets the same
    /// error.
    #[must_use]
    pub fn custom(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Custom(CustomFailure::new(cause))
    }

    /// The name of this kind of failure; see [`FailureKind::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The HTTP status of the response to a request that failed for this reason.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.kind().status()
    }
}

fn fmt_unavailable(seconds: &Option<u32>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the origin is temporarily unavailable; try again {}", later(*seconds))
}

fn fmt_overloaded(seconds: &Option<u32>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "there is no capacity for this download at the moment; try again {}", later(*seconds))
}

fn later(seconds: Option<u32>) -> String {
    match seconds {
        Some(1) => "in 1 second".into(),
        Some(seconds) => format!("in {seconds} seconds"),
        None => "later".into(),
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error for a name that belongs to no [`FailureKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of failure `{0}`; use one of {kinds}", kinds = FailureKind::ALL.map(FailureKind::name).join(", "))]
pub struct UnknownFailureKind(pub String);

impl FromStr for FailureKind {
    type Err = UnknownFailureKind;

    fn from_str(name: &str) -> Result<Self, UnknownFailureKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownFailureKind(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_status_name_and_message() {
        let text = || "because".to_owned();
        let table = [
            (FetchError::InvalidUrl(text()), 400, "invalid-url", "this URL cannot be fetched: because"),
            (FetchError::Refused(text()), 403, "refused", "refused: because"),
            (FetchError::NotFound, 404, "not-found", "the origin has nothing at this URL (status 404)"),
            (FetchError::Gone, 410, "gone", "the origin no longer has anything at this URL (status 410)"),
            (
                FetchError::Denied(401),
                403,
                "denied",
                "the origin denied access: it requires credentials, or does not allow this service (status 401)",
            ),
            (
                FetchError::UnavailableForLegalReasons,
                451,
                "unavailable-for-legal-reasons",
                "the origin withholds this media for legal reasons (status 451)",
            ),
            (FetchError::OriginStatus(503), 502, "origin-status", "the origin responded with status 503"),
            (FetchError::TooLarge(7), 413, "too-large", "the media is larger than the limit of 7 bytes"),
            (FetchError::TimedOut(text()), 504, "timed-out", "timed out: because"),
            (FetchError::Unreachable(text()), 502, "unreachable", "the origin cannot be reached: because"),
            (FetchError::BrokenAnswer(text()), 502, "broken-answer", "the origin's response cannot be used: because"),
            (FetchError::ShortBody(text()), 502, "short-body", "the origin sent an incomplete body: because"),
            (FetchError::OverlongBody(text()), 502, "overlong-body", "the origin sent more than it declared: because"),
            (FetchError::EmptyBody, 502, "empty-body", "the origin sent an empty body"),
            (
                FetchError::PartialBody,
                502,
                "partial-body",
                "the origin sent only a part of the body (206), although the whole body was requested",
            ),
            (
                FetchError::EncodedBody("gzip".into()),
                502,
                "encoded-body",
                "the origin encoded the body (gzip), although no encoding was requested",
            ),
            (FetchError::UnacceptableType(text()), 415, "unacceptable-type", "the media has a type that is not accepted: because"),
            (FetchError::TooManyRedirects(5), 502, "too-many-redirects", "the origin redirected more than 5 times"),
            (FetchError::Unavailable(None), 503, "unavailable", "the origin is temporarily unavailable; try again later"),
            (FetchError::Unavailable(Some(1)), 503, "unavailable", "the origin is temporarily unavailable; try again in 1 second"),
            (
                FetchError::Overloaded(Some(30)),
                503,
                "overloaded",
                "there is no capacity for this download at the moment; try again in 30 seconds",
            ),
            (FetchError::custom("because"), 502, "custom", "the custom downloader failed: because"),
            (FetchError::Other(text()), 502, "other", "the download failed: because"),
        ];
        let mut untested = FailureKind::ALL.to_vec();
        for (error, status, name, message) in table {
            untested.retain(|kind| *kind != error.kind());
            assert_eq!((error.status(), error.name(), error.to_string().as_str()), (status, name, message));
        }
        assert_eq!(untested, []);
    }

    #[test]
    fn kinds_parse_from_their_names() {
        for kind in FailureKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let message = "not_found".parse::<FailureKind>().unwrap_err().to_string();
        assert!(
            message.starts_with("unknown kind of failure `not_found`; use one of invalid-url, refused, not-found, "),
            "{message}"
        );
    }
}
