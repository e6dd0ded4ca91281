//! Parses numbers of bytes from the command line.

use std::str::FromStr;

/// A number of bytes, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity(pub u64);

/// Why text is not a valid capacity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// Not a size, or a size of 0.
    #[error(
        "{0:?} is not a valid size: give a number of bytes, at least 1, such as 500000, or a number with a unit, such as 128MiB, 1.5GiB \
         or 2GB (kB, MB, GB, TB in powers of 1000, KiB, MiB, GiB, TiB in powers of 1024)"
    )]
    NoSize(String),
    /// The unit is ambiguous, such as `G`.
    #[error(
        "{text:?} is an ambiguous size: write {number}{unit}B for powers of 1000, or \
         {number}{unit}iB for powers of 1024"
    )]
    HalfUnit {
        /// The whole text.
        text: String,
        /// The number in it.
        number: String,
        /// The letter after it.
        unit: char,
    },
}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for Capacity {
    type Err = CapacityError;

    fn from_str(text: &str) -> Result<Self, CapacityError> {
        parse(text.trim()).filter(|bytes| *bytes > 0).map(Self).ok_or_else(|| CapacityError::of(text.trim()))
    }
}

impl CapacityError {
    fn of(text: &str) -> Self {
        let (number, unit) = split(text);
        let mut letters = unit.chars().map(|letter| letter.to_ascii_uppercase());
        match (letters.next(), letters.next()) {
            (Some(unit @ ('K' | 'M' | 'G' | 'T')), None) if parse(number).is_some_and(|number| number > 0) => {
                Self::HalfUnit { text: text.into(), number: number.into(), unit }
            }
            _ => Self::NoSize(text.into()),
        }
    }
}

/// The number in a size, and the unit after it.
fn split(text: &str) -> (&str, &str) {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    (number, unit.trim_start())
}

fn parse(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let unit = unit.to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(*factor);
    }
    // Only numbers with a point are parsed as fractions: a whole number that is too large must not be rounded to a valid one.
    let fraction = number.contains('.').then(|| number.parse::<f64>().ok())??;
    let bytes = fraction * *factor as f64;
    (bytes < (1u64 << 53) as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_have_a_unit() {
        let bytes = |text: &str| text.parse::<Capacity>().unwrap().0;
        assert_eq!(["1", "500000", "7B", "2GB", "2 kb"].map(bytes), [1, 500_000, 7, 2_000_000_000, 2000]);
        assert_eq!(["128MiB", "1.5GiB", "0.5kib", "1TiB"].map(bytes), [128 << 20, 3 << 29, 512, 1 << 40]);
        assert_eq!(bytes("18446744073709551615"), u64::MAX);
    }

    #[test]
    fn error_for_an_invalid_size_shows_a_valid_one() {
        for wrong in
            ["", "0", "0.1", "-1", "MiB", "1.2.3MiB", "0M", "5 apples", "18446744073709551616", "16777216TiB", "inf", ".", "9e3"]
        {
            let error = wrong.parse::<Capacity>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{wrong:?} is not a valid size")) && error.contains("128MiB"), "{error}");
        }
    }

    #[test]
    fn error_for_an_ambiguous_unit_names_both_possible_units() {
        for (half, number, letter) in [("1M", "1", 'M'), ("1.5 g", "1.5", 'G'), ("20k", "20", 'K'), ("1T", "1", 'T')] {
            let error = half.parse::<Capacity>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{half:?} is an ambiguous size")), "{error}");
            for whole in [format!("{number}{letter}B"), format!("{number}{letter}iB")] {
                assert!(error.contains(&format!("{whole} for powers")) && whole.parse::<Capacity>().is_ok(), "{error}");
            }
        }
    }
}
