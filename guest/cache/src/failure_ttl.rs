//! For how long a failed download is remembered, by kind, and what of it.

use crate::bindings::media_cache::cache::downloader::{FailureKind, FetchError};

/// The most bytes of a failure's text that are kept and handed on: thousands of failures are remembered at a time.
const LONGEST_TEXT: usize = 500;

/// How long an origin may ask to be left alone unless something else is said, in milliseconds.
const MAX_RETRY_AFTER: u32 = 600_000;

/// The shortest time that an origin is left alone that asked for it, in milliseconds.
const MIN_RETRY_AFTER: u32 = 1000;

/// How long an origin that has no time is left alone if it does not say for how long, in milliseconds.
const UNSAID_RETRY_AFTER: u32 = 5000;

/// See `failure-memory-ms` and `max-retry-after-ms` in the WIT.
#[derive(Clone, Debug)]
pub struct FailureTimes {
    said: Vec<(FailureKind, u32)>,
    max_retry_after: u32,
}

impl FailureTimes {
    /// Milliseconds by kind, the last of a kind counting, and the most that an origin may ask for.
    #[must_use]
    pub fn new(said: Vec<(FailureKind, u32)>, max_retry_after: Option<u32>) -> Self {
        Self { said, max_retry_after: max_retry_after.unwrap_or(MAX_RETRY_AFTER) }
    }

    /// For how many milliseconds a failure is remembered; 0 for not at all.
    #[must_use]
    pub fn of(&self, failure: &FetchError) -> u32 {
        let kind = kind(failure);
        let said = self.said.iter().rev().find(|(other, _)| *other == kind).map(|(_, time)| *time);
        match (failure, said) {
            (FetchError::Overloaded(_), _) => 0,
            (FetchError::Unavailable(Some(seconds)), None | Some(1..)) => {
                seconds.saturating_mul(1000).max(MIN_RETRY_AFTER).min(self.max_retry_after)
            }
            (_, Some(time)) => time,
            (_, None) => unless_said(kind),
        }
    }

    /// A failure as it is kept and handed on: its text no longer than it may be, and the time that its origin asks for as well.
    #[must_use]
    pub fn within_bounds(&self, mut failure: FetchError) -> FetchError {
        if let Some(text) = text(&mut failure).filter(|text| text.len() > LONGEST_TEXT) {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.push('…');
        }
        if let FetchError::Unavailable(Some(seconds)) = &mut failure {
            *seconds = (*seconds).min(self.max_retry_after.div_ceil(1000));
        }
        failure
    }
}

/// A failure as it is told to those who ask later: with so many nanoseconds left until the origin is asked again.
#[must_use]
pub fn told_again(failure: FetchError, left: u64) -> FetchError {
    match failure {
        FetchError::Unavailable(_) => {
            let seconds = left.div_ceil(1_000_000_000);
            FetchError::Unavailable(Some(u32::try_from(seconds).unwrap_or(u32::MAX)))
        }
        other => other,
    }
}

/// In milliseconds.
fn unless_said(kind: FailureKind) -> u32 {
    use FailureKind as K;
    match kind {
        K::InvalidUrl | K::Overloaded => 0,
        K::Gone | K::TooLarge | K::UnacceptableType => 300_000,
        K::NotFound | K::Refused | K::TooManyRedirects => 60_000,
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
        K::Unavailable => UNSAID_RETRY_AFTER,
    }
}

fn kind(failure: &FetchError) -> FailureKind {
    use FailureKind as K;
    use FetchError as E;
    match failure {
        E::InvalidUrl(_) => K::InvalidUrl,
        E::Refused(_) => K::Refused,
        E::NotFound => K::NotFound,
        E::Gone => K::Gone,
        E::OriginStatus(_) => K::OriginStatus,
        E::TooLarge(_) => K::TooLarge,
        E::TimedOut(_) => K::TimedOut,
        E::Unreachable(_) => K::Unreachable,
        E::BrokenAnswer(_) => K::BrokenAnswer,
        E::ShortBody(_) => K::ShortBody,
        E::OverlongBody(_) => K::OverlongBody,
        E::EmptyBody => K::EmptyBody,
        E::PartialBody => K::PartialBody,
        E::EncodedBody(_) => K::EncodedBody,
        E::UnacceptableType(_) => K::UnacceptableType,
        E::TooManyRedirects(_) => K::TooManyRedirects,
        E::Unavailable(_) => K::Unavailable,
        E::Overloaded(_) => K::Overloaded,
        E::Other(_) => K::Other,
    }
}

fn text(failure: &mut FetchError) -> Option<&mut String> {
    use FetchError as E;
    match failure {
        E::InvalidUrl(text)
        | E::Refused(text)
        | E::TimedOut(text)
        | E::Unreachable(text)
        | E::BrokenAnswer(text)
        | E::ShortBody(text)
        | E::OverlongBody(text)
        | E::EncodedBody(text)
        | E::UnacceptableType(text)
        | E::Other(text) => Some(text),
        E::NotFound
        | E::Gone
        | E::OriginStatus(_)
        | E::TooLarge(_)
        | E::EmptyBody
        | E::PartialBody
        | E::TooManyRedirects(_)
        | E::Unavailable(_)
        | E::Overloaded(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(said: &[(FailureKind, u32)]) -> FailureTimes {
        FailureTimes::new(said.to_vec(), None)
    }

    #[test]
    fn what_is_said_of_a_kind_counts_for_that_kind_and_the_last_word_stands() {
        let times =
            times(&[(FailureKind::Gone, 1), (FailureKind::Gone, 7), (FailureKind::Overloaded, 9), (FailureKind::InvalidUrl, 3)]);
        assert_eq!(times.of(&FetchError::Gone), 7);
        assert_eq!(times.of(&FetchError::NotFound), 60_000);
        assert_eq!(times.of(&FetchError::InvalidUrl(String::new())), 3);
        assert_eq!(times.of(&FetchError::Overloaded(Some(5))), 0, "whatever is said");
    }

    #[test]
    fn an_origin_is_left_alone_for_as_long_as_it_asks_within_bounds() {
        let unavailable = FetchError::Unavailable;
        for (said, asked, remembered) in [
            (None, None, 5000),
            (None, Some(0), 1000),
            (None, Some(30), 30_000),
            (None, Some(u32::MAX), 600_000),
            (Some(20), None, 20),
            (Some(20), Some(30), 30_000),
            (Some(0), Some(30), 0),
            (Some(0), None, 0),
        ] {
            let said: Vec<_> = said.map(|time| (FailureKind::Unavailable, time)).into_iter().collect();
            assert_eq!(times(&said).of(&unavailable(asked)), remembered, "{said:?}, {asked:?}");
        }
        let patient = FailureTimes::new(Vec::new(), Some(500));
        assert_eq!(patient.of(&unavailable(Some(30))), 500, "the most stands over the least");
        assert!(matches!(patient.within_bounds(unavailable(Some(30))), FetchError::Unavailable(Some(1))));
        assert!(matches!(patient.within_bounds(unavailable(None)), FetchError::Unavailable(None)));
    }

    #[test]
    fn what_is_left_is_told_in_whole_seconds() {
        for (left, seconds) in [(1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (u64::MAX, u32::MAX)] {
            let told = told_again(FetchError::Unavailable(None), left);
            assert!(matches!(told, FetchError::Unavailable(Some(told)) if told == seconds), "{told:?}");
        }
        assert!(matches!(told_again(FetchError::Gone, 1), FetchError::Gone));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = |text: &str| match times(&[]).within_bounds(FetchError::Other(text.into())) {
            FetchError::Other(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"a".repeat(500)), "a".repeat(500));
        assert_eq!(cut(&"€".repeat(500)), "€".repeat(166) + "…");
    }
}
