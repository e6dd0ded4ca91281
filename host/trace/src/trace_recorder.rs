//! Records requests in a trace, which can be replayed under other policies.
//!
//! Each request is a line `time,key,size`: seconds since 1970, the first 16 hexadecimal digits of the SHA-256 of the cache key, and
//! the disk use of the entry in bytes, both files in blocks of 4096, so that the capacity of a replay corresponds to a disk budget.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

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
    requests: Option<SyncSender<Request>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lossy: AtomicBool,
}

struct Request {
    at: SystemTime,
    key: u64,
    size: u64,
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

    /// Records a request for the entry with this key, whose media has `media_bytes` bytes. Never blocks.
    pub fn record(&self, key: &str, media_bytes: u64) {
        let key = fingerprint(key.as_bytes());
        // A sidecar nearly always takes up one block.
        let size = media_bytes.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
        let request = Request { at: SystemTime::now(), key, size };
        let sent = self.requests.as_ref().map_or(Ok(()), |requests| requests.try_send(request));
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
    let is_trace = first.is_empty() || (first.ends_with('\n') && first.matches(',').count() == 2);
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

fn write(mut file: impl Write, requests: &Receiver<Request>) -> io::Result<()> {
    let mut flushed = Instant::now();
    loop {
        match requests.recv_timeout(FLUSH_INTERVAL) {
            // Written in one piece, so that a killed process leaves no partial line behind.
            Ok(request) => file.write_all(line(&request).as_bytes())?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
        if flushed.elapsed() >= FLUSH_INTERVAL {
            file.flush()?;
            flushed = Instant::now();
        }
    }
}

fn line(request: &Request) -> String {
    let since = request.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:03},{:016x},{}\n", since.as_secs(), since.subsec_millis(), request.key, request.size)
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
            recorder.record("https://example.com/a.png", 4097);
            recorder.record("https://example.com/b.png", 0);
        }
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"179537,2f").unwrap();
        drop(TraceRecorder::open(&path).unwrap());
        let trace = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = trace.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 4);
        // printf %s https://example.com/a.png | sha256sum
        assert_eq!(lines[0][1..], ["494a30704d4f32ac", "12288"]);
        assert_eq!(lines[1][2], "4096");
        assert_eq!((lines[2][1], lines[2][2]), (lines[0][1], lines[0][2]));
        assert!(lines[0][0].parse::<f64>().unwrap() > 1.7e9);
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
