//! Traces: what was asked for, when, and how large it is.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use sha2::{Digest, Sha256};

use super::line::{LONGEST, Line, LineFault};

/// Requests in the order in which they came. It takes 24 bytes a request, and 8 bytes a key.
#[derive(Default)]
pub struct Trace {
    requests: Vec<Request>,
    /// By the number of the object.
    fingerprints: Vec<u64>,
    bytes: u64,
}

/// Something was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When, in milliseconds.
    pub at: u64,
    /// How large it is, at least 1.
    pub size: u64,
    /// What: objects are numbered from 0, in the order in which they are first asked for.
    pub object: u32,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read, or not be decompressed.
    #[error("the trace cannot be read beyond line {line}: {error}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// What is wrong.
        error: io::Error,
    },
    /// A line is not a request.
    #[error(
        "line {line}: {fault}; a line is a time in seconds, a key, and a size in bytes, such as `12.5,https://example.com/1.png,2048`"
    )]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// There is no line with a request in it.
    #[error("there is no request in the trace")]
    Empty,
}

impl Trace {
    /// Reads lines of `time,key,size`: plain, or compressed by `xz` or `gzip`, which their first bytes tell.
    ///
    /// A key is any text on one line; in quotes, it may have commas in it. A size of 0 counts as 1, since everything takes up something. A first
    /// line in which neither the time nor the size is a number is a header, and skipped.
    ///
    /// # Errors
    /// When it cannot be read, for the first line that is not a request, and when there is none.
    pub fn read(trace: impl Read) -> Result<Self, TraceError> {
        let mut read = 0;
        let mut reading = Reading::default();
        let mut line = Vec::new();
        let fail = |line, error| TraceError::Read { line, error };
        let mut plain = decompress(trace).map_err(|error| fail(read, error))?;
        loop {
            line.clear();
            if plain.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line).map_err(|error| fail(read, error))? == 0 {
                return reading.finish();
            }
            read += 1;
            reading.add(&line, read == 1).map_err(|fault| TraceError::Line { line: read, fault })?;
        }
    }

    /// The requests.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// How many objects there are.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.fingerprints.len()
    }

    /// The sizes of all requests, added up.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a policy knows an object by.
    pub(super) fn fingerprint(&self, object: u32) -> u64 {
        self.fingerprints[object as usize]
    }
}

/// The beginning of the SHA-256 of a key, or of a URL.
pub(crate) fn fingerprint(key: &[u8]) -> u64 {
    Sha256::digest(key).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} requests for {} objects)", self.requests.len(), self.fingerprints.len())
    }
}

/// A trace that is being read.
#[derive(Default)]
struct Reading {
    trace: Trace,
    objects: HashMap<Box<[u8]>, u32>,
}

impl Reading {
    fn add(&mut self, line: &[u8], first: bool) -> Result<(), LineFault> {
        let mut unquoted = ByteRecord::new();
        let Some(Line { at, key, size }) = Line::read(line, first, &mut unquoted)? else { return Ok(()) };
        self.trace.bytes = self.trace.bytes.checked_add(size).ok_or(LineFault::Sum)?;
        let object = match self.objects.get(key) {
            Some(object) => *object,
            None => self.number(key)?,
        };
        self.trace.requests.push(Request { at, size, object });
        Ok(())
    }

    /// Numbers a key that is new.
    fn number(&mut self, key: &[u8]) -> Result<u32, LineFault> {
        // The last number is not given: it stands for none.
        let object = u32::try_from(self.objects.len()).ok().filter(|object| *object < u32::MAX).ok_or(LineFault::Keys)?;
        self.objects.insert(key.into(), object);
        self.trace.fingerprints.push(fingerprint(key));
        Ok(object)
    }

    fn finish(self) -> Result<Trace, TraceError> {
        let mut trace = self.trace;
        if trace.requests.is_empty() {
            return Err(TraceError::Empty);
        }
        trace.requests.shrink_to_fit();
        Ok(trace)
    }
}

/// What `compressed` holds, as its first bytes tell.
fn decompress<'a>(mut compressed: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    const XZ: &[u8] = b"\xfd7zXZ\0";
    const GZIP: &[u8] = b"\x1f\x8b";
    let mut head = Vec::new();
    compressed.by_ref().take(XZ.len() as u64).read_to_end(&mut head)?;
    let (xz, gzip) = (head.starts_with(XZ), head.starts_with(GZIP));
    let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(head).chain(compressed));
    Ok(match (xz, gzip) {
        (true, _) => Box::new(BufReader::new(XzReader::new(whole, true))),
        (_, true) => Box::new(BufReader::new(MultiGzDecoder::new(whole))),
        _ => Box::new(whole),
    })
}

#[cfg(test)]
mod tests {
    use super::super::line::Shown;
    use super::*;
    use std::io::Write;

    const LINES: &str = "0,a,10\n1.5,\"b,c\",0\r\n\n 2 ,a, 30\n";

    fn parsed(trace: &[u8]) -> Vec<(u64, u64, u32)> {
        Trace::read(trace).unwrap().requests().iter().map(|request| (request.at, request.size, request.object)).collect()
    }

    fn fault(trace: &str) -> (u64, LineFault) {
        match Trace::read(trace.as_bytes()) {
            Err(TraceError::Line { line, fault }) => (line, fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_time_a_key_and_a_size() {
        assert_eq!(parsed(LINES.as_bytes()), [(0, 10, 0), (1500, 1, 1), (2000, 30, 0)]);
        let trace = Trace::read(LINES.as_bytes()).unwrap();
        assert_eq!((trace.objects(), trace.bytes()), (2, 41));
    }

    #[test]
    fn a_header_is_skipped_and_is_no_trace() {
        assert_eq!(parsed(b"time,key,size\n0,a,10"), [(0, 10, 0)]);
        assert_eq!(parsed(b"\xef\xbb\xbftime,key,size\n0,a,10"), [(0, 10, 0)]);
        assert!(matches!(Trace::read(&b"time,key,size\n"[..]), Err(TraceError::Empty)));
        assert!(matches!(Trace::read(&b""[..]), Err(TraceError::Empty)));
        // A header in the middle, or a first line that is half a request, is a mistake.
        assert_eq!(fault("0,a,10\ntime,key,size\n"), (2, LineFault::Time(Shown("time".into()))));
        assert_eq!(fault("0,a,10k\n"), (1, LineFault::Size(Shown("10k".into()))));
    }

    #[test]
    fn what_is_no_request_is_named() {
        assert_eq!(fault("0,a,1\n0,a\n"), (2, LineFault::Fields(2)));
        assert_eq!(fault("0,a,1\n\n0,a,b,1\n"), (3, LineFault::Fields(4)));
        for time in ["-1", "", "soon", "inf", "NaN", "1e300", "4451607788496.902"] {
            assert_eq!(fault(&format!("0,a,1\n{time},a,1\n")), (2, LineFault::Time(Shown(time.into()))));
        }
        for size in ["-1", "", "1.5", "18446744073709551616"] {
            assert_eq!(fault(&format!("0,a,1\n0,a,{size}\n")), (2, LineFault::Size(Shown(size.into()))));
        }
        assert_eq!(fault("0,a,18446744073709551615\n0,a,1\n"), (2, LineFault::Sum));
        assert_eq!(fault("0,a,1\r\n0,a,1\r\n0,\"a,1\n0,a,1\n"), (3, LineFault::Fields(2)));
        assert_eq!(fault(&format!("0,a,1\n0,{},2", "b".repeat(1 << 16))), (2, LineFault::Long));
    }

    #[test]
    fn a_long_field_is_not_repeated_in_full() {
        let error = Trace::read(format!("0,a,1\n0,a,{}", "ä".repeat(1000)).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 2: \"ää") && error.contains("ä…\" is not a size") && error.len() < 300, "{error}");
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(LINES.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(parsed(&gzip), parsed(LINES.as_bytes()));
        assert_eq!(parsed(&[&gzip[..], &gzip[..]].concat()).len(), 6);
        for end in [3, 12, gzip.len() - 9] {
            assert!(matches!(Trace::read(&gzip[..end]), Err(TraceError::Read { .. })), "{end}");
        }
        assert!(matches!(Trace::read(&b"\xfd7zXZ\0and then rubbish"[..]), Err(TraceError::Read { .. })));
    }
}
