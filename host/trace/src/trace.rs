//! Reads traces of requests: the time, the object, its size, and what is known about fetching it.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use media_cache_entry_files::MediaKind;

use crate::fingerprint::recorded_fingerprint;
use crate::trace_line::{Line, LineFault, MAX_LINE_BYTES, plural};
use crate::xz_memory::XzMemoryLimit;

/// Requests in the order of the trace. It takes 32 bytes of memory per request and 8 bytes per object.
#[derive(Default)]
pub struct Trace {
    requests: Vec<Request>,
    /// The fingerprint of each object, by its number.
    fingerprints: Vec<u64>,
    bytes: u64,
}

/// A request for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The time, in milliseconds.
    pub at: u64,
    /// The size of the object, at least 1.
    pub size: u64,
    /// The object. Objects are numbered from 0 in the order of their first request.
    pub object: u32,
    /// How long a fetch of the object takes, in milliseconds. 0 if unknown.
    pub cost: u32,
    /// The number of other requests that wait for a fetch at this time. 0 if unknown.
    pub waiters: u32,
    /// The kind of media, if it is known.
    pub kind: Option<MediaKind>,
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read or decompressed.
    #[error("reading the trace failed after {line} {}: {error}", plural(*line, "line"))]
    Read {
        /// The number of lines read before the error.
        line: u64,
        /// The cause.
        error: io::Error,
    },
    /// A line is not a valid request.
    #[error(
        "line {line}: {fault}; a line is a time in seconds, a key, and a size in bytes, such as `12.5,https://example.com/1.png,2048`; a \
         cost in milliseconds, a number of waiters and a kind of media may follow, such as `,180,2,image`"
    )]
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// Why it is invalid.
        fault: LineFault,
    },
    /// It contains no requests.
    #[error("the trace contains no requests")]
    Empty,
}

impl Trace {
    /// Reads lines of `time,key,size[,cost[,waiters[,kind]]]`, plain or compressed with `xz` or `gzip`, which is detected from the first
    /// bytes.
    ///
    /// Reading takes little memory besides the trace itself: a line is at most 64 KiB, and the dictionary of an xz file at most 64 MiB.
    ///
    /// A key is any text on one line, in quotes if it contains commas. A size of 0 counts as 1, because every object takes up space. The
    /// first line is skipped as a header if neither its time nor its size is a number.
    ///
    /// An empty field after the size is unknown. A cost or a kind that is unknown is that of the previous request for the object, or of
    /// the next one if it is unknown there as well: any request may be a miss in a replay, but the service fetched the object only once.
    ///
    /// # Errors
    /// If reading fails, if an xz file has a larger dictionary, if a line is invalid, or if there are no requests.
    pub fn read(trace: impl Read) -> Result<Self, TraceError> {
        let mut lines_read = 0;
        let mut builder = TraceBuilder::default();
        let mut line = Vec::new();
        let fail = |line, error| TraceError::Read { line, error };
        let mut input = decompress(trace).map_err(|error| fail(lines_read, error))?;
        loop {
            line.clear();
            let length = input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
            if length.map_err(|error| fail(lines_read, error))? == 0 {
                return builder.finish();
            }
            lines_read += 1;
            builder.add(&line, lines_read == 1).map_err(|fault| TraceError::Line { line: lines_read, fault })?;
        }
    }

    /// The requests.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The number of distinct objects.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.fingerprints.len()
    }

    /// The sum of the sizes of all requests.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint of the key of an object.
    #[must_use]
    pub fn fingerprint(&self, object: u32) -> u64 {
        self.fingerprints[object as usize]
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} requests for {} objects)", self.requests.len(), self.fingerprints.len())
    }
}

/// A trace that is being read.
#[derive(Default)]
struct TraceBuilder {
    trace: Trace,
    /// The number of each object, by its key.
    objects: HashMap<Box<[u8]>, u32>,
}

impl TraceBuilder {
    fn add(&mut self, line: &[u8], is_first: bool) -> Result<(), LineFault> {
        let mut unquoted = ByteRecord::new();
        let Some(line) = Line::parse(line, is_first, &mut unquoted)? else { return Ok(()) };
        let Line { at, key, size, cost, waiters, kind } = line;
        self.trace.bytes = self.trace.bytes.checked_add(size).ok_or(LineFault::Sum)?;
        let object = match self.objects.get(key) {
            Some(object) => *object,
            None => self.add_object(key)?,
        };
        self.trace.requests.push(Request { at, size, object, cost, waiters, kind });
        Ok(())
    }

    fn add_object(&mut self, key: &[u8]) -> Result<u32, LineFault> {
        // The largest number is reserved to mean "no object".
        let object = u32::try_from(self.objects.len()).ok().filter(|object| *object < u32::MAX).ok_or(LineFault::Keys)?;
        self.objects.insert(key.into(), object);
        self.trace.fingerprints.push(recorded_fingerprint(key));
        Ok(object)
    }

    fn finish(self) -> Result<Trace, TraceError> {
        let mut trace = self.trace;
        if trace.requests.is_empty() {
            return Err(TraceError::Empty);
        }
        trace.requests.shrink_to_fit();
        if trace.requests.iter().any(|request| request.cost > 0 || request.kind.is_some()) {
            let mut known = vec![(0, None); trace.fingerprints.len()];
            trace.requests.iter_mut().for_each(|request| request.complete(&mut known));
            known.fill((0, None));
            trace.requests.iter_mut().rev().for_each(|request| request.complete(&mut known));
        }
        Ok(trace)
    }
}

impl Request {
    /// Completes the cost and the kind with what is `known` about each object, and remembers them.
    fn complete(&mut self, known: &mut [(u32, Option<MediaKind>)]) {
        let (cost, kind) = &mut known[self.object as usize];
        if self.cost == 0 {
            self.cost = *cost;
        }
        self.kind = self.kind.or(*kind);
        (*cost, *kind) = (self.cost, self.kind);
    }
}

/// Decompresses a stream as its first bytes indicate.
fn decompress<'a>(mut input: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    const XZ: &[u8] = b"\xfd7zXZ\0";
    const GZIP: &[u8] = b"\x1f\x8b";
    let mut head = Vec::new();
    input.by_ref().take(XZ.len() as u64).read_to_end(&mut head)?;
    let (is_xz, is_gzip) = (head.starts_with(XZ), head.starts_with(GZIP));
    let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(head).chain(input));
    Ok(match (is_xz, is_gzip) {
        (true, _) => Box::new(BufReader::new(XzReader::new(XzMemoryLimit::new(whole), true))),
        (_, true) => Box::new(BufReader::new(MultiGzDecoder::new(whole))),
        _ => Box::new(whole),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_line::Excerpt;
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
    fn line_has_a_time_a_key_and_a_size() {
        assert_eq!(parsed(LINES.as_bytes()), [(0, 10, 0), (1500, 1, 1), (2000, 30, 0)]);
        let trace = Trace::read(LINES.as_bytes()).unwrap();
        assert_eq!((trace.objects(), trace.bytes()), (2, 41));
    }

    /// The costs, waiters and kinds of all requests.
    fn fetches(trace: &str) -> Vec<(u32, u32, Option<MediaKind>)> {
        let trace = Trace::read(trace.as_bytes()).unwrap();
        trace.requests().iter().map(|request| (request.cost, request.waiters, request.kind)).collect()
    }

    #[test]
    fn cost_waiters_and_kind_may_follow_the_size() {
        let lines = "time,key,size,cost,waiters,kind\n0,a,1\n0,b,1,4294967295\n0,c,1,,7\n0,\"d,\",1,0 , 2,animation\r\n0,e,1,,,\n";
        let expected = [(0, 0, None), (u32::MAX, 0, None), (0, 7, None), (0, 2, Some(MediaKind::Animation)), (0, 0, None)];
        assert_eq!(fetches(lines), expected);
    }

    #[test]
    fn unknown_cost_and_kind_are_taken_from_the_previous_request_or_else_from_the_next() {
        let lines = "0,a,1\n1,b,1,9\n2,a,1,,3\n3,a,1,50,,image\n4,a,1\n5,a,1,70,,video\n6,a,1,,1,other\n7,b,1,,,audio\n";
        let (image, audio) = (Some(MediaKind::Image), Some(MediaKind::Audio));
        let (video, other) = (Some(MediaKind::Video), Some(MediaKind::Other));
        let (start, end) = ([(50, 0, image), (9, 0, audio), (50, 3, image), (50, 0, image)], [(50, 0, image), (70, 0, video)]);
        assert_eq!(fetches(lines), [&start[..], &end, &[(70, 1, other), (9, 0, audio)]].concat());
    }

    #[test]
    fn key_of_sixteen_hexadecimal_digits_is_the_fingerprint_itself() {
        let trace = Trace::read(&b"0,00000000000000ff,1\n1,00000000000000FF,1\n2,ff,1\n"[..]).unwrap();
        assert_eq!(trace.fingerprint(0), 255);
        assert_eq!([1, 2].map(|object| trace.fingerprint(object)), [&b"00000000000000FF"[..], b"ff"].map(crate::fingerprint));
    }

    #[test]
    fn header_is_skipped_and_is_not_a_request() {
        assert_eq!(parsed(b"time,key,size\n0,a,10"), [(0, 10, 0)]);
        assert_eq!(parsed(b"\xef\xbb\xbftime,key,size\n0,a,10"), [(0, 10, 0)]);
        assert!(matches!(Trace::read(&b"time,key,size\n"[..]), Err(TraceError::Empty)));
        assert!(matches!(Trace::read(&b""[..]), Err(TraceError::Empty)));
        // A header is only valid as the first line, and a first line with a valid time is not a header.
        assert_eq!(fault("0,a,10\ntime,key,size\n"), (2, LineFault::Time(Excerpt("time".into()))));
        assert_eq!(fault("0,a,10k\n"), (1, LineFault::Size(Excerpt("10k".into()))));
    }

    #[test]
    fn invalid_line_is_reported_with_its_number_and_fault() {
        assert_eq!(fault("0,a,1\n0,a\n"), (2, LineFault::Fields(2)));
        assert_eq!(fault("0,a,1\n\n0,a,b,1\n"), (3, LineFault::Size(Excerpt("b".into()))));
        assert_eq!(fault("0,a,1\n0,a,1,,,,\n"), (2, LineFault::Fields(7)));
        for number in ["-1", "1.5", "4294967296", "many"] {
            assert_eq!(fault(&format!("0,a,1,{number}")), (1, LineFault::Cost(Excerpt(number.into()))));
            assert_eq!(fault(&format!("0,a,1,,{number}")), (1, LineFault::Waiters(Excerpt(number.into()))));
        }
        for kind in ["Image", "image/png", "0"] {
            assert_eq!(fault(&format!("0,a,1,,,{kind}")), (1, LineFault::Kind(Excerpt(kind.into()))));
        }
        for time in ["-1", "", "soon", "inf", "NaN", "1e300", "4451607788496.902"] {
            assert_eq!(fault(&format!("0,a,1\n{time},a,1\n")), (2, LineFault::Time(Excerpt(time.into()))));
        }
        for size in ["-1", "", "1.5", "18446744073709551616"] {
            assert_eq!(fault(&format!("0,a,1\n0,a,{size}\n")), (2, LineFault::Size(Excerpt(size.into()))));
        }
        assert_eq!(fault("0,a,18446744073709551615\n0,a,1\n"), (2, LineFault::Sum));
        assert_eq!(fault("0,a,1\r\n0,a,1\r\n0,\"a,1\n0,a,1\n"), (3, LineFault::Fields(2)));
        assert_eq!(fault(&format!("0,a,1\n0,{},2", "b".repeat(1 << 16))), (2, LineFault::Long));
    }

    #[test]
    fn long_field_is_not_quoted_in_full() {
        let error = Trace::read(format!("0,a,1\n0,a,{}", "ä".repeat(1000)).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 2: \"ää") && error.contains("ä…\" is not a size") && error.len() < 400, "{error}");
    }

    #[test]
    fn compression_is_detected_from_the_first_bytes() {
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
