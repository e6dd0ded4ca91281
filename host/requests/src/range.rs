//! Parses the `Range` header (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` header requests.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole body: there is no header, or the server may or must ignore it (malformed, several ranges, a unit other than bytes).
    All,
    /// These bytes.
    Part(Range<u64>),
    /// A range beyond the end.
    Unsatisfiable,
}

impl Wanted {
    /// Parses the header for a body of `length` bytes.
    pub fn of(header: Option<&str>, length: u64) -> Self {
        header.and_then(|header| parse(header, length)).unwrap_or(Self::All)
    }
}

fn parse(header: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let wanted = match (position(first)?, position(last)?) {
        (None, None) => return None,
        (None, Some(count)) => length.saturating_sub(count)..length,
        (Some(first), None) => first..length,
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
    };
    Some(if wanted.start < wanted.end { Wanted::Part(wanted) } else { Wanted::Unsatisfiable })
}

/// Parses a position: `Some(None)` if the text is empty, `None` if it is not a number. A number that overflows becomes `u64::MAX`, which is
/// beyond the end of any file.
fn position(digits: &str) -> Option<Option<u64>> {
    match digits {
        "" => Some(None),
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_of_bytes_is_parsed() {
        for (header, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=10-", 10..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=90-1000", 90..100),
            ("Bytes = 5-6", 5..7),
            ("bytes=99-99999999999999999999999999", 99..100),
        ] {
            assert_eq!(Wanted::of(Some(header), 100), Wanted::Part(part), "{header}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_is_unsatisfiable() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(Wanted::of(Some(header), 100), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn a_malformed_or_unsupported_range_is_ignored() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1", "items=0-1", "bytes=0-1,3-4", "bytes=--1"]
        {
            assert_eq!(Wanted::of(Some(header), 100), Wanted::All, "{header}");
        }
        assert_eq!(Wanted::of(None, 100), Wanted::All);
    }
}
