//! `Range` headers, for bodies of any length.

use media_cache_requests::Wanted;

use crate::input::{Input, text};

/// The input: eight bytes with a length, and a header.
pub fn range(data: &[u8]) {
    let mut input = Input::new(data);
    let length = input.number();
    let header = text(input.rest());
    let wanted = Wanted::of(Some(&header), length);
    assert_eq!(wanted, expected(&header, length), "{header:?} of {length}");
    if let Wanted::Part(part) = wanted {
        assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
        let again = format!("bytes={}-{}", part.start, part.end - 1);
        assert_eq!(Wanted::of(Some(&again), length), Wanted::Part(part), "{again}");
    }
}

/// The expected result, computed in another way: case by case, with numbers that cannot overflow.
fn expected(header: &str, length: u64) -> Wanted {
    let Some((unit, positions)) = header.split_once('=') else { return Wanted::All };
    let positions: Vec<&str> = positions.trim().split('-').collect();
    let [first, last] = positions[..] else { return Wanted::All };
    if !unit.trim().eq_ignore_ascii_case("bytes") || first.len() + last.len() == 0 {
        return Wanted::All;
    }
    if !(first.to_owned() + last).chars().all(|c| c.is_ascii_digit()) {
        return Wanted::All;
    }
    let (start, end) = match (first, last) {
        ("", count) => (u128::from(length).saturating_sub(value(count)), u128::from(length)),
        (first, "") => (value(first), u128::from(length)),
        (first, last) if value(first) > value(last) => return Wanted::All,
        (first, last) => (value(first), u128::from(length).min(value(last) + 1)),
    };
    match (u64::try_from(start), u64::try_from(end)) {
        (Ok(start), Ok(end)) if start < end => Wanted::Part(start..end),
        _ => Wanted::Unsatisfiable,
    }
}

/// The value of digits, at most the largest 64-bit number, which is larger than any file.
fn value(digits: &str) -> u128 {
    digits.bytes().fold(0, |value: u128, digit| (value * 10 + u128::from(digit - b'0')).min(u64::MAX.into()))
}
