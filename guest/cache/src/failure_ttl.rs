//! How long a failed fetch is remembered, by kind, and how much of its text is kept.

use crate::bindings::media_cache::cache::failures::{FailureKind, FetchError};

/// The maximum length of a failure's text in bytes. Thousands of failures may be remembered at the same time.
const LONGEST_TEXT: usize = 500;

/// The default of `max-retry-after-ms`.
const MAX_RETRY_AFTER: u32 = 600_000;

/// The shortest time for which `unavailable` is remembered at the origin's request, in milliseconds.
const MIN_RETRY_AFTER: u32 = 1000;

/// How long failures of a kind are remembered by default, in milliseconds. This is the only such table; the WIT documents the same values.
fn default_ttl(kind: FailureKind) -> u32 {
    use FailureKind as K;
    match kind {
        K::InvalidUrl | K::Overloaded | K::Custom => 0,
        // Applies if the origin does not say when to try again.
        K::Unavailable => 5000,
        K::OriginStatus
        | K::TimedOut
        | K::Unreachable
        | K::BrokenAnswer
        | K::ShortBody
        | K::OverlongBody
        | K::EmptyBody
        | K::PartialBody
        | K::EncodedBody
        | K::Other => 10_000,
        K::NotFound | K::Denied | K::Refused | K::TooManyRedirects => 60_000,
        K::Gone | K::UnavailableForLegalReasons | K::TooLarge | K::UnacceptableType => 300_000,
    }
}

/// The kind of a failure, and its text if it has one. This is the only list of the cases.
fn kind_and_text(failure: &mut FetchError) -> (FailureKind, Option<&mut String>) {
    use FailureKind as K;
    use FetchError as E;
    match failure {
        E::InvalidUrl(text) => (K::InvalidUrl, Some(text)),
        E::Refused(text) => (K::Refused, Some(text)),
        E::NotFound => (K::NotFound, None),
        E::Gone => (K::Gone, None),
        E::Denied(_) => (K::Denied, None),
        E::UnavailableForLegalReasons => (K::UnavailableForLegalReasons, None),
        E::OriginStatus(_) => (K::OriginStatus, None),
        E::TooLarge(_) => (K::TooLarge, None),
        E::TimedOut(text) => (K::TimedOut, Some(text)),
        E::Unreachable(text) => (K::Unreachable, Some(text)),
        E::BrokenAnswer(text) => (K::BrokenAnswer, Some(text)),
        E::ShortBody(text) => (K::ShortBody, Some(text)),
        E::OverlongBody(text) => (K::OverlongBody, Some(text)),
        E::EmptyBody => (K::EmptyBody, None),
        E::PartialBody => (K::PartialBody, None),
        E::EncodedBody(text) => (K::EncodedBody, Some(text)),
        E::UnacceptableType(text) => (K::UnacceptableType, Some(text)),
        E::TooManyRedirects(_) => (K::TooManyRedirects, None),
        E::Unavailable(_) => (K::Unavailable, None),
        E::Overloaded(_) => (K::Overloaded, None),
        E::Custom(_) => (K::Custom, None),
        E::Other(text) => (K::Other, Some(text)),
    }
}

/// How long failures are remembered. See `failure-memory-ms` and `max-retry-after-ms` in the WIT.
#[derive(Clone, Debug)]
pub struct FailureTtl {
    configured: Vec<(FailureKind, u32)>,
    max_retry_after: u32,
}

impl FailureTtl {
    /// `configured` has the milliseconds by kind; the last value for a kind applies. `max_retry_after` is the longest time that an origin
    /// may request.
    #[must_use]
    pub fn new(configured: Vec<(FailureKind, u32)>, max_retry_after: Option<u32>) -> Self {
        Self { configured, max_retry_after: max_retry_after.unwrap_or(MAX_RETRY_AFTER) }
    }

    /// Returns a failure in the form in which it is remembered and passed on, and for how many milliseconds to remember it. A long text is
    /// truncated, and the time that the origin requests is limited.
    #[must_use]
    pub fn apply(&self, mut failure: FetchError) -> (FetchError, u32) {
        let (kind, text) = kind_and_text(&mut failure);
        if let Some(text) = text.filter(|text| text.len() > LONGEST_TEXT) {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.push('…');
        }
        let ttl = self.ttl(kind, &failure);
        if let FetchError::Unavailable(Some(seconds)) = &mut failure {
            *seconds = (*seconds).min(self.max_retry_after.div_ceil(1000));
        }
        (failure, ttl)
    }

    fn ttl(&self, kind: FailureKind, failure: &FetchError) -> u32 {
        let configured = self.configured.iter().rev().find(|(other, _)| *other == kind).map(|(_, ttl)| *ttl);
        match (failure, configured) {
            (FetchError::Overloaded(_), _) => 0,
            (FetchError::Unavailable(Some(seconds)), None | Some(1..)) => {
                seconds.saturating_mul(1000).max(MIN_RETRY_AFTER).min(self.max_retry_after)
            }
            (_, configured) => configured.unwrap_or_else(|| default_ttl(kind)),
        }
    }
}

/// Returns a remembered failure for a later request. `left` is the number of nanoseconds until the origin may be contacted again.
#[must_use]
pub fn recalled(failure: FetchError, left: u64) -> FetchError {
    match failure {
        FetchError::Unavailable(_) => {
            let seconds = left.div_ceil(1_000_000_000);
            FetchError::Unavailable(Some(u32::try_from(seconds).unwrap_or(u32::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(ttls: &[(FailureKind, u32)]) -> FailureTtl {
        FailureTtl::new(ttls.to_vec(), None)
    }

    fn ttl(ttls: &[(FailureKind, u32)], failure: FetchError) -> u32 {
        configured(ttls).apply(failure).1
    }

    #[test]
    fn last_ttl_set_for_a_failure_kind_wins() {
        let ttls = [(FailureKind::Gone, 1), (FailureKind::Gone, 7), (FailureKind::Overloaded, 9), (FailureKind::InvalidUrl, 3)];
        assert_eq!(ttl(&ttls, FetchError::Gone), 7);
        assert_eq!(ttl(&ttls, FetchError::NotFound), 60_000);
        assert_eq!(ttl(&ttls, FetchError::InvalidUrl(String::new())), 3);
        assert_eq!(ttl(&ttls, FetchError::Overloaded(Some(5))), 0, "whatever is configured");
    }

    #[test]
    fn a_custom_failure_is_remembered_only_if_configured() {
        assert_eq!(ttl(&[], FetchError::Custom(7)), 0);
        assert_eq!(ttl(&[(FailureKind::Custom, 50)], FetchError::Custom(7)), 50);
    }

    #[test]
    fn an_empty_body_is_remembered_for_ten_seconds() {
        assert_eq!(ttl(&[], FetchError::EmptyBody), 10_000);
    }

    #[test]
    fn unavailable_failure_is_remembered_for_its_retry_after_within_limits() {
        let unavailable = FetchError::Unavailable;
        for (set, asked, remembered) in [
            (None, None, 5000),
            (None, Some(0), 1000),
            (None, Some(30), 30_000),
            (None, Some(u32::MAX), 600_000),
            (Some(20), None, 20),
            (Some(20), Some(30), 30_000),
            (Some(0), Some(30), 0),
            (Some(0), None, 0),
        ] {
            let ttls: Vec<_> = set.map(|time| (FailureKind::Unavailable, time)).into_iter().collect();
            assert_eq!(ttl(&ttls, unavailable(asked)), remembered, "{set:?}, {asked:?}");
        }
        let short = FailureTtl::new(Vec::new(), Some(500));
        assert!(matches!(short.apply(unavailable(Some(30))), (FetchError::Unavailable(Some(1)), 500)));
        assert!(matches!(short.apply(unavailable(None)), (FetchError::Unavailable(None), _)));
    }

    #[test]
    fn remaining_retry_after_is_in_whole_seconds() {
        for (left, seconds) in [(1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (u64::MAX, u32::MAX)] {
            let failure = recalled(FetchError::Unavailable(None), left);
            assert!(matches!(failure, FetchError::Unavailable(Some(told)) if told == seconds), "{failure:?}");
        }
        assert!(matches!(recalled(FetchError::Gone, 1), FetchError::Gone));
    }

    #[test]
    fn a_long_text_is_truncated_between_characters() {
        let truncated = |text: &str| match configured(&[]).apply(FetchError::Other(text.into())).0 {
            FetchError::Other(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(truncated("short"), "short");
        assert_eq!(truncated(&"a".repeat(500)), "a".repeat(500));
        assert_eq!(truncated(&"€".repeat(500)), "€".repeat(166) + "…");
    }
}
