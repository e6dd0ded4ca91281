//! Lines of traces.

use std::fmt;

use csv::ByteRecord;

/// The longest line, in bytes.
pub(super) const LONGEST: u64 = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line with a request in it.
pub(super) struct Line<'a> {
    /// In milliseconds.
    pub at: u64,
    pub key: &'a [u8],
    /// At least 1.
    pub size: u64,
}

/// What is wrong with a line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// There is too much or too little in it.
    #[error("it has {0} of the 3 fields (a key with a comma in it has to be in quotes)")]
    Fields(usize),
    /// It is longer than any key.
    #[error("it is longer than {LONGEST} bytes")]
    Long,
    /// The first field is no time.
    #[error("{0} is not a time, which is a number from 0")]
    Time(Shown),
    /// The last field is no size.
    #[error("{0} is not a size, which is a whole number")]
    Size(Shown),
    /// All sizes up to here add up to more than a number holds.
    #[error("the sizes up to here add up to more than 2^64")]
    Sum,
    /// Nobody has as much memory.
    #[error("there are more than 2^32 keys up to here")]
    Keys,
}

/// The beginning of a field, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(pub(super) String);

impl Shown {
    fn new(field: &[u8]) -> Self {
        const MOST: usize = 40;
        let mut text = String::from_utf8_lossy(&field[..field.len().min(MOST)]).into_owned();
        if field.len() > MOST {
            text.push('…');
        }
        Self(text)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'a> Line<'a> {
    /// What a line says; `None` for one that is empty, and for a header. What was in quotes is taken out into `unquoted`.
    pub fn read(line: &'a [u8], first: bool, unquoted: &'a mut ByteRecord) -> Result<Option<Self>, LineFault> {
        if line.len() as u64 > LONGEST {
            return Err(LineFault::Long);
        }
        let line = if first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let [time, key, size] = fields(line, unquoted)?;
        match (milliseconds(time), number(size)) {
            (Some(at), Some(size)) => Ok(Some(Self { at, key, size: size.max(1) })),
            (None, None) if first => Ok(None),
            (None, _) => Err(LineFault::Time(Shown::new(time))),
            (_, None) => Err(LineFault::Size(Shown::new(size))),
        }
    }
}

fn fields<'a>(line: &'a [u8], unquoted: &'a mut ByteRecord) -> Result<[&'a [u8]; 3], LineFault> {
    if !line.contains(&b'"') {
        return three(line.split(|byte| *byte == b','));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    match reader.read_byte_record(unquoted) {
        Ok(_) => three(unquoted.iter()),
        Err(_) => Err(LineFault::Fields(0)),
    }
}

fn three<'a>(fields: impl Iterator<Item = &'a [u8]> + Clone) -> Result<[&'a [u8]; 3], LineFault> {
    let mut rest = fields.clone();
    match (rest.next(), rest.next(), rest.next(), rest.next()) {
        (Some(time), Some(key), Some(size), None) => Ok([time, key, size]),
        _ => Err(LineFault::Fields(fields.count())),
    }
}

fn number(field: &[u8]) -> Option<u64> {
    text(field)?.parse().ok()
}

/// Milliseconds of a number of seconds.
fn milliseconds(field: &[u8]) -> Option<u64> {
    /// More than that is not exact to the millisecond, in seconds with fractions, and it is 71,000 years.
    const MOST: f64 = (1u64 << 51) as f64;
    let thousandfold = text(field)?.parse::<f64>().ok()? * 1000.0;
    (0.0..=MOST).contains(&thousandfold).then(|| thousandfold.round() as u64)
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok().map(str::trim)
}
