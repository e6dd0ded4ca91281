//! Records requests in a trace, which can be replayed under other policies.
//!
//! Each request is a line `time,key,size,cost,waiters,kind`: seconds since 1970, the first 16 hexadecimal digits of the SHA-256 of the
//! cache key, the disk use of the entry in bytes, both files in blocks of 4096, so that the capacity of a replay corresponds to a disk
//! budget, and what is known of the fetch. A field that is unknown is empty, and left out at the end of a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use media_cache_entry_files::MediaKind;

use crate::fingerprint::fingerprint;

/// The number of requests that may wait to be written.
const QUEUE_LENGTH: usize = 65_536;

/// The maximum time that a request waits before it is written to the file.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum length of a line, in bytes.
const LONGEST_LINE: u64 = 1024;

/// The unit of disk use, in bytes.
const BLOCK: u64 = 4096;

/// Writes a trace on a separate thread. Dropping it writes the remaining requests.
pub struct TraceRecorder {
    requests: Option<SyncSender<Line>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lossy: AtomicBool,
}

/// A request to be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The number of bytes of the media.
    pub media_bytes: u64,
    /// How long the fetch of the media took, in milliseconds. 0 if unknown.
    pub cost: u32,
    /// The number of other requests that waited for the fetch, if it was started by this one. 0 if unknown.
    pub waiters: u32,
    /// The kind of media, if it is known.
    pub kind: Option<MediaKind>,
}

struct Line {
    at: SystemTime,
    key: u64,
    request: RecordedRequest,
}

impl TraceRecorder {
    /// Appends to a file. If it does not exist, it is created with access only for its owner. An incomplete last line, as left by a full
    /// disk, is removed.
    ///
    /// # Errors
    /// If the file cannot be opened or is not a trace, or if no thread can be started.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options().create(true).read(true).append(true).mode(0o600).open(path)?;
        check_trace(&mut file)?;
        let (requests, receiver) = sync_channel(QUEUE_LENGTH);
        let name = path.display().to_string();
        let write = move || {
            if let Err(error) = write(BufWriter::new(file), &receiver) {
                tracing::error!("cannot write the trace {name}, which ends here: {error}");
            }
        };
        let writer = std::thread::Builder::new().name("trace".into()).spawn(write)?;
        Ok(Self { requests: Some(requests), writer: Mutex::new(Some(writer)), lossy: AtomicBool::new(false) })
    }

    /// Records a request for the entry with this key. Never blocks.
    pub fn record(&self, key: &str, request: RecordedRequest) {
        let line = Line { at: SystemTime::now(), key: fingerprint(key.as_bytes()), request };
        let sent = self.requests.as_ref().map_or(Ok(()), |requests| requests.try_send(line));
        if matches!(sent, Err(TrySendError::Full(_))) && !self.lossy.swap(true, Ordering::Relaxed) {
            tracing::warn!("requests arrive faster than the trace can be written; some are not recorded");
        }
    }
}

impl Drop for TraceRecorder {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // The thread logs its own errors.
            let _ = writer.join();
        }
    }
}

/// Checks by its first line that an existing file is a trace, and removes an incomplete last line.
fn check_trace(file: &mut File) -> io::Result<()> {
    let mut first = String::new();
    let read = io::BufReader::new(&*file).take(LONGEST_LINE).read_line(&mut first);
    let is_trace = first.is_empty() || (first.ends_with('\n') && (2..=5).contains(&first.matches(',').count()));
    if read.is_err() || !is_trace {
        return Err(io::Error::other("it is not a trace"));
    }
    let end = file.metadata()?.len();
    let start = end.saturating_sub(LONGEST_LINE);
    file.seek(io::SeekFrom::Start(start))?;
    let mut last = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut last)?;
    match last.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => file.set_len(start + newline as u64 + 1),
        None => Ok(()),
    }
}

fn write(mut file: impl Write, requests: &Receiver<Line>) -> io::Result<()> {
    let mut flushed = Instant::now();
    loop {
        match requests.recv_timeout(FLUSH_INTERVAL) {
            // Written in one piece, so that a killed process leaves no partial line behind.
            Ok(line) => file.write_all(line.to_string().as_bytes())?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
        if flushed.elapsed() >= FLUSH_INTERVAL {
            file.flush()?;
            flushed = Instant::now();
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, key, request: RecordedRequest { media_bytes, cost, waiters, kind } } = *self;
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // A sidecar nearly always takes up one block.
        let size = media_bytes.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
        write!(f, "{}.{:03},{key:016x},{size}", since.as_secs(), since.subsec_millis())?;
        let known = |number: u32| if number == 0 { String::new() } else { number.to_string() };
        match (cost, waiters, kind) {
            (0, 0, None) => {}
            (_, 0, None) => write!(f, ",{cost}")?,
            (_, _, None) => write!(f, ",{},{waiters}", known(cost))?,
            (_, _, Some(kind)) => write!(f, ",{},{},{}", known(cost), known(waiters), kind.name())?,
        }
        f.write_str("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_a_line_and_an_existing_trace_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace.csv");
        for _ in 0..2 {
            let recorder = TraceRecorder::open(&path).unwrap();
            recorder.record("https://example.com/a.png", RecordedRequest { media_bytes: 4097, ..RecordedRequest::default() });
            recorder.record("https://example.com/b.png", RecordedRequest { cost: 7, ..RecordedRequest::default() });
            let request = RecordedRequest { kind: Some(MediaKind::Image), ..RecordedRequest::default() };
            recorder.record("https://example.com/a.png", request);
            recorder.record("https://example.com/a.png", RecordedRequest { cost: 180, waiters: 2, ..request });
        }
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"179537,2f").unwrap();
        drop(TraceRecorder::open(&path).unwrap());
        let trace = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = trace.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 8);
        // printf %s https://example.com/a.png | sha256sum
        assert_eq!(lines[0][1..], ["494a30704d4f32ac", "12288"]);
        assert_eq!(lines[1][2..], ["4096", "7"]);
        assert_eq!((&lines[2][3..], &lines[3][3..]), (&["", "", "image"][..], &["180", "2", "image"][..]));
        assert_eq!((lines[4][1], lines[4][2]), (lines[0][1], lines[0][2]));
        assert!(lines[0][0].parse::<f64>().unwrap() > 1.7e9);
        let read = crate::Trace::read(trace.as_bytes()).unwrap();
        let last = read.requests().last().unwrap();
        assert_eq!((last.cost, last.waiters, last.kind, last.object), (180, 2, Some(MediaKind::Image), 0));
    }

    #[test]
    fn a_file_that_is_not_a_trace_is_left_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace.csv");
        for other in [&b"\x1f\x8b\x08\0,,\xff\n"[..], b"a sentence", b"a line\n", &[b'a'; 5000]] {
            std::fs::write(&path, other).unwrap();
            assert!(TraceRecorder::open(&path).is_err(), "{other:?}");
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
    }
}
