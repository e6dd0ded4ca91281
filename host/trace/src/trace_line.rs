//! Parses one line of a trace.

use std::fmt;

use csv::ByteRecord;
use media_cache_entry_files::MediaKind;

/// The maximum length of a line, in bytes, including its line break.
pub(crate) const MAX_LINE_BYTES: u64 = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The request on a line.
pub(crate) struct Line<'a> {
    /// In milliseconds.
    pub at: u64,
    pub key: &'a [u8],
    /// At least 1.
    pub size: u64,
    /// In milliseconds. 0 if unknown.
    pub cost: u32,
    pub waiters: u32,
    pub kind: Option<MediaKind>,
}

/// Why a line of a trace is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It does not have three to six fields.
    #[error("it has {count} {} instead of 3 to 6 (put a key that contains a comma in quotes)", plural(*.0 as u64, "field"), count = .0)]
    Fields(usize),
    /// It is too long.
    #[error("it is longer than {MAX_LINE_BYTES} bytes")]
    Long,
    /// The first field is not a time.
    #[error("{0} is not a time: it must be a number, 0 or more")]
    Time(Excerpt),
    /// The third field is not a size.
    #[error("{0} is not a size: it must be a whole number (put a key that contains a comma in quotes)")]
    Size(Excerpt),
    /// The fourth field is not a cost.
    #[error("{0} is not a cost: it must be a whole number of milliseconds, at most 4294967295, or empty")]
    Cost(Excerpt),
    /// The fifth field is not a number of waiters.
    #[error("{0} is not a number of waiters: it must be a whole number, at most 4294967295, or empty")]
    Waiters(Excerpt),
    /// The last field is not a kind of media.
    #[error("{0} is not a kind of media: it must be image, animation, video, audio or other, or empty")]
    Kind(Excerpt),
    /// The sum of all sizes up to this line overflows.
    #[error("the sizes up to here add up to more than 2^64")]
    Sum,
    /// There are too many different keys up to this line.
    #[error("there are more than 2^32 keys up to here")]
    Keys,
}

/// A noun that follows this number.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    if number == 1 { noun.into() } else { format!("{noun}s") }
}

/// The beginning of a field, quoted in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(pub(crate) String);

impl Excerpt {
    fn new(field: &[u8]) -> Self {
        const MAX_BYTES: usize = 40;
        let mut text = String::from_utf8_lossy(&field[..field.len().min(MAX_BYTES)]).into_owned();
        if field.len() > MAX_BYTES {
            text.push('…');
        }
        Self(text)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'a> Line<'a> {
    /// Parses a line. `None` for an empty line and for a header. `unquoted` holds the fields of a line with quotes.
    pub fn parse(line: &'a [u8], is_first: bool, unquoted: &'a mut ByteRecord) -> Result<Option<Self>, LineFault> {
        if line.len() as u64 > MAX_LINE_BYTES {
            return Err(LineFault::Long);
        }
        let line = if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let [time, key, size, cost, waiters, kind] = fields(line, unquoted)?;
        let (at, size) = match (milliseconds(time), number(size)) {
            (Some(at), Some(size)) => (at, size),
            (None, None) if is_first => return Ok(None),
            (None, _) => return Err(LineFault::Time(Excerpt::new(time))),
            (_, None) => return Err(LineFault::Size(Excerpt::new(size))),
        };
        let known = |field: &[u8]| if field.trim_ascii().is_empty() { Some(0) } else { u32::try_from(number(field)?).ok() };
        Ok(Some(Self {
            at,
            key,
            size: size.max(1),
            cost: known(cost).ok_or_else(|| LineFault::Cost(Excerpt::new(cost)))?,
            waiters: known(waiters).ok_or_else(|| LineFault::Waiters(Excerpt::new(waiters)))?,
            kind: media_kind(kind).map_err(|()| LineFault::Kind(Excerpt::new(kind)))?,
        }))
    }
}

/// The fields of a line. Those that are missing at its end are empty.
fn fields<'a>(line: &'a [u8], unquoted: &'a mut ByteRecord) -> Result<[&'a [u8]; 6], LineFault> {
    if !line.contains(&b'"') {
        return three_to_six(line.split(|byte| *byte == b','));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    match reader.read_byte_record(unquoted) {
        Ok(_) => three_to_six(unquoted.iter()),
        Err(_) => Err(LineFault::Fields(0)),
    }
}

fn three_to_six<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<[&'a [u8]; 6], LineFault> {
    let (mut known, mut count) = ([&b""[..]; 6], 0);
    for field in fields {
        if let Some(place) = known.get_mut(count) {
            *place = field;
        }
        count += 1;
    }
    if (3..=known.len()).contains(&count) { Ok(known) } else { Err(LineFault::Fields(count)) }
}

fn media_kind(field: &[u8]) -> Result<Option<MediaKind>, ()> {
    match text(field) {
        Some("") => Ok(None),
        name => MediaKind::ALL.into_iter().find(|kind| Some(kind.name()) == name).map(Some).ok_or(()),
    }
}

fn number(field: &[u8]) -> Option<u64> {
    text(field)?.parse().ok()
}

/// Converts seconds to milliseconds.
fn milliseconds(field: &[u8]) -> Option<u64> {
    /// 71,000 years. Larger numbers of seconds with fractions would not be exact to the millisecond.
    const MAX: f64 = (1u64 << 51) as f64;
    let milliseconds = text(field)?.parse::<f64>().ok()? * 1000.0;
    (0.0..=MAX).contains(&milliseconds).then(|| milliseconds.round() as u64)
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_fields_is_in_the_singular_or_plural() {
        let message = |line: &[u8]| Line::parse(line, false, &mut ByteRecord::new()).err().unwrap().to_string();
        assert!(message(b"0").starts_with("it has 1 field instead of 3 to 6"));
        assert!(message(b"0,a").starts_with("it has 2 fields instead of 3 to 6"));
    }
}
