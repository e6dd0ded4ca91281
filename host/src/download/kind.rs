//! The kinds of failures, without what a single failure says.

use std::fmt;
use std::str::FromStr;

use super::FetchError;

/// A kind of [`FetchError`], by which one can say for how long failures are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// [`FetchError::InvalidUrl`].
    InvalidUrl,
    /// [`FetchError::Refused`].
    Refused,
    /// [`FetchError::NotFound`].
    NotFound,
    /// [`FetchError::Gone`].
    Gone,
    /// [`FetchError::OriginStatus`].
    OriginStatus,
    /// [`FetchError::TooLarge`].
    TooLarge,
    /// [`FetchError::TimedOut`].
    TimedOut,
    /// [`FetchError::Unreachable`].
    Unreachable,
    /// [`FetchError::BrokenAnswer`].
    BrokenAnswer,
    /// [`FetchError::ShortBody`].
    ShortBody,
    /// [`FetchError::OverlongBody`].
    OverlongBody,
    /// [`FetchError::EmptyBody`].
    EmptyBody,
    /// [`FetchError::PartialBody`].
    PartialBody,
    /// [`FetchError::EncodedBody`].
    EncodedBody,
    /// [`FetchError::UnacceptableType`].
    UnacceptableType,
    /// [`FetchError::TooManyRedirects`].
    TooManyRedirects,
    /// [`FetchError::Unavailable`].
    Unavailable,
    /// [`FetchError::Overloaded`].
    Overloaded,
    /// [`FetchError::Other`].
    Other,
}

/// There is no kind of failure of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind of failure `{0}`; there are {kinds}", kinds = FailureKind::ALL.map(FailureKind::name).join(", "))]
pub struct UnknownFailureKind(pub String);

impl FailureKind {
    /// All that there are.
    pub const ALL: [Self; 19] = [
        Self::InvalidUrl,
        Self::Refused,
        Self::NotFound,
        Self::Gone,
        Self::OriginStatus,
        Self::TooLarge,
        Self::TimedOut,
        Self::Unreachable,
        Self::BrokenAnswer,
        Self::ShortBody,
        Self::OverlongBody,
        Self::EmptyBody,
        Self::PartialBody,
        Self::EncodedBody,
        Self::UnacceptableType,
        Self::TooManyRedirects,
        Self::Unavailable,
        Self::Overloaded,
        Self::Other,
    ];

    /// What it is called, in `wit/downloader.wit`, in problem documents, in logs and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid-url",
            Self::Refused => "refused",
            Self::NotFound => "not-found",
            Self::Gone => "gone",
            Self::OriginStatus => "origin-status",
            Self::TooLarge => "too-large",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::BrokenAnswer => "broken-answer",
            Self::ShortBody => "short-body",
            Self::OverlongBody => "overlong-body",
            Self::EmptyBody => "empty-body",
            Self::PartialBody => "partial-body",
            Self::EncodedBody => "encoded-body",
            Self::UnacceptableType => "unacceptable-type",
            Self::TooManyRedirects => "too-many-redirects",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FailureKind {
    type Err = UnknownFailureKind;

    fn from_str(name: &str) -> Result<Self, UnknownFailureKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownFailureKind(name.into()))
    }
}

impl FetchError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::InvalidUrl(_) => FailureKind::InvalidUrl,
            Self::Refused(_) => FailureKind::Refused,
            Self::NotFound => FailureKind::NotFound,
            Self::Gone => FailureKind::Gone,
            Self::OriginStatus(_) => FailureKind::OriginStatus,
            Self::TooLarge { .. } => FailureKind::TooLarge,
            Self::TimedOut(_) => FailureKind::TimedOut,
            Self::Unreachable(_) => FailureKind::Unreachable,
            Self::BrokenAnswer(_) => FailureKind::BrokenAnswer,
            Self::ShortBody(_) => FailureKind::ShortBody,
            Self::OverlongBody(_) => FailureKind::OverlongBody,
            Self::EmptyBody => FailureKind::EmptyBody,
            Self::PartialBody => FailureKind::PartialBody,
            Self::EncodedBody(_) => FailureKind::EncodedBody,
            Self::UnacceptableType(_) => FailureKind::UnacceptableType,
            Self::TooManyRedirects(_) => FailureKind::TooManyRedirects,
            Self::Unavailable { .. } => FailureKind::Unavailable,
            Self::Overloaded { .. } => FailureKind::Overloaded,
            Self::Other(_) => FailureKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in FailureKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let why = "not_found".parse::<FailureKind>().unwrap_err().to_string();
        assert!(why.starts_with("there is no kind of failure `not_found`; there are invalid-url, refused, not-found, "), "{why}");
    }
}
