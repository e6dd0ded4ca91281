//! The interface `failures`: types alone, and what they are on the host's side.

use media_cache_interfaces as interfaces;

use crate::bindings::cache::media_cache::cache::failures::{FailureKind, FetchError, Host};
use crate::host_state::HostState;

impl Host for HostState {}

impl From<interfaces::FetchError> for FetchError {
    fn from(error: interfaces::FetchError) -> Self {
        use interfaces::FetchError as E;
        match error {
            E::InvalidUrl(why) => Self::InvalidUrl(why),
            E::Refused(why) => Self::Refused(why),
            E::NotFound => Self::NotFound,
            E::Gone => Self::Gone,
            E::OriginStatus(status) => Self::OriginStatus(status),
            E::TooLarge { limit } => Self::TooLarge(limit),
            E::TimedOut(what) => Self::TimedOut(what),
            E::Unreachable(why) => Self::Unreachable(why),
            E::BrokenAnswer(why) => Self::BrokenAnswer(why),
            E::ShortBody(why) => Self::ShortBody(why),
            E::OverlongBody(why) => Self::OverlongBody(why),
            E::EmptyBody => Self::EmptyBody,
            E::PartialBody => Self::PartialBody,
            E::EncodedBody(coding) => Self::EncodedBody(coding),
            E::UnacceptableType(which) => Self::UnacceptableType(which),
            E::Overloaded { retry_after_seconds } => Self::Overloaded(retry_after_seconds),
            E::TooManyRedirects(limit) => Self::TooManyRedirects(limit),
            E::Unavailable { retry_after_seconds } => Self::Unavailable(retry_after_seconds),
            E::Custom(context) => Self::Custom(context),
            E::Other(why) => Self::Other(why),
        }
    }
}

impl From<FetchError> for interfaces::FetchError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::InvalidUrl(why) => Self::InvalidUrl(why),
            FetchError::Refused(why) => Self::Refused(why),
            FetchError::NotFound => Self::NotFound,
            FetchError::Gone => Self::Gone,
            FetchError::OriginStatus(status) => Self::OriginStatus(status),
            FetchError::TooLarge(limit) => Self::TooLarge { limit },
            FetchError::TimedOut(what) => Self::TimedOut(what),
            FetchError::Unreachable(why) => Self::Unreachable(why),
            FetchError::BrokenAnswer(why) => Self::BrokenAnswer(why),
            FetchError::ShortBody(why) => Self::ShortBody(why),
            FetchError::OverlongBody(why) => Self::OverlongBody(why),
            FetchError::EmptyBody => Self::EmptyBody,
            FetchError::PartialBody => Self::PartialBody,
            FetchError::EncodedBody(coding) => Self::EncodedBody(coding),
            FetchError::UnacceptableType(which) => Self::UnacceptableType(which),
            FetchError::Overloaded(retry_after_seconds) => Self::Overloaded { retry_after_seconds },
            FetchError::TooManyRedirects(limit) => Self::TooManyRedirects(limit),
            FetchError::Unavailable(retry_after_seconds) => Self::Unavailable { retry_after_seconds },
            FetchError::Custom(context) => Self::Custom(context),
            FetchError::Other(why) => Self::Other(why),
        }
    }
}

impl From<interfaces::FailureKind> for FailureKind {
    fn from(kind: interfaces::FailureKind) -> Self {
        use interfaces::FailureKind as K;
        match kind {
            K::InvalidUrl => Self::InvalidUrl,
            K::Refused => Self::Refused,
            K::NotFound => Self::NotFound,
            K::Gone => Self::Gone,
            K::OriginStatus => Self::OriginStatus,
            K::TooLarge => Self::TooLarge,
            K::TimedOut => Self::TimedOut,
            K::Unreachable => Self::Unreachable,
            K::BrokenAnswer => Self::BrokenAnswer,
            K::ShortBody => Self::ShortBody,
            K::OverlongBody => Self::OverlongBody,
            K::EmptyBody => Self::EmptyBody,
            K::PartialBody => Self::PartialBody,
            K::EncodedBody => Self::EncodedBody,
            K::UnacceptableType => Self::UnacceptableType,
            K::TooManyRedirects => Self::TooManyRedirects,
            K::Unavailable => Self::Unavailable,
            K::Overloaded => Self::Overloaded,
            K::Custom => Self::Custom,
            K::Other => Self::Other,
        }
    }
}
