//! A log writer that never blocks its callers.
//!
//! Lines are queued, and a separate thread writes them. If the log is read or stored more slowly than lines are added, the queue reaches
//! its limit and further lines are lost. If a write fails, that line is lost. Lost lines are counted, and their number is logged once the
//! log can be written again. The queue is limited in bytes rather than lines, because a line can contain a whole URL.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

thread_local! {
    /// The number of lost lines that this thread is currently reporting, or 0. Only the thread that writes the log reports lost lines.
    static REPORTING: Cell<u64> = const { Cell::new(0) };
}

/// Writes lines in a separate thread, which runs until the process ends. Each call writes one line. Clones share the thread and its
/// queue.
#[derive(Clone)]
pub struct LossyWriter(Arc<Shared>);

/// The number of log lines that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostLines {
    /// Lost because the queue was full.
    pub queue_full: u64,
    /// Lost because they could not be written.
    pub write_failed: u64,
}

struct Shared {
    queue: Mutex<Queue>,
    /// The maximum number of bytes in the queue.
    capacity: usize,
    line_added: Condvar,
    line_written: Condvar,
    queue_full: AtomicU64,
    write_failed: AtomicU64,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Line>,
    bytes: usize,
    is_writing: bool,
}

struct Line {
    text: Vec<u8>,
    /// The number of lost lines that this line reports.
    reports: u64,
}

impl LossyWriter {
    /// Starts to write to `sink`, with at most `capacity` bytes in the queue. `report` logs the number of lost lines. It is called in the
    /// writing thread, and its line is queued even if the queue is full.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(sink: impl Write + Send + 'static, capacity: usize, report: impl Fn(u64) + Send + 'static) -> io::Result<Self> {
        let writer = Self(Arc::new(Shared {
            queue: Mutex::default(),
            capacity,
            line_added: Condvar::new(),
            line_written: Condvar::new(),
            queue_full: AtomicU64::new(0),
            write_failed: AtomicU64::new(0),
        }));
        let shared = writer.0.clone();
        thread::Builder::new().name("log".into()).spawn(move || shared.write_lines(sink, report))?;
        Ok(writer)
    }

    /// The number of lines lost so far.
    #[must_use]
    pub fn lost(&self) -> LostLines {
        LostLines { queue_full: self.0.queue_full.load(Relaxed), write_failed: self.0.write_failed.load(Relaxed) }
    }

    /// Waits until all lines are written, for at most `limit`. Returns whether they were written.
    pub fn flush_within(&self, limit: Duration) -> bool {
        let unwritten = |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty();
        let waited = self.0.line_written.wait_timeout_while(self.0.queue(), limit, unwritten);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Write for LossyWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    /// Does nothing; see [`flush_within`](LossyWriter::flush_within).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LostLines {
    fn total(self) -> u64 {
        self.queue_full + self.write_failed
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &[u8]) {
        let line = Line { text: text.to_vec(), reports: REPORTING.get() };
        let mut queue = self.queue();
        if line.reports == 0 && queue.bytes.saturating_add(text.len()) > self.capacity {
            self.queue_full.fetch_add(1, Relaxed);
            return;
        }
        queue.bytes += text.len();
        queue.lines.push_back(line);
        drop(queue);
        self.line_added.notify_one();
    }

    /// Takes the next line from the queue, and marks it as being written.
    fn next(&self) -> Line {
        let mut queue = self.queue();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= line.text.len();
                queue.is_writing = true;
                return line;
            }
            queue = self.line_added.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lost(&self) -> u64 {
        LostLines { queue_full: self.queue_full.load(Relaxed), write_failed: self.write_failed.load(Relaxed) }.total()
    }

    fn write_lines(&self, sink: impl Write, report: impl Fn(u64)) {
        let mut sink = LineSink { sink, is_torn: false };
        let mut reported = 0;
        loop {
            let line = self.next();
            match sink.write_line(&line.text) {
                // Half of the queue must be free, so that a log that is always slow does not fill up with reports.
                Ok(()) if self.queue().bytes <= self.capacity / 2 => {
                    let unreported = self.lost().saturating_sub(reported);
                    if unreported > 0 {
                        REPORTING.set(unreported);
                        report(unreported);
                        REPORTING.set(0);
                        reported += unreported;
                    }
                }
                Ok(()) => {}
                // A report is not counted as lost. The lines that it reports are reported again.
                Err(_) if line.reports > 0 => reported -= line.reports,
                Err(_) => drop(self.write_failed.fetch_add(1, Relaxed)),
            }
            self.queue().is_writing = false;
            self.line_written.notify_all();
        }
    }
}

struct LineSink<W> {
    sink: W,
    /// Whether the last write left an incomplete line.
    is_torn: bool,
}

impl<W: Write> LineSink<W> {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.sink.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    /// Sends everything that is written to a receiver, which decides when and how each write ends.
    struct Scripted {
        written: SyncSender<String>,
        outcomes: Receiver<io::Result<usize>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            self.outcomes.recv().unwrap().map(|most| most.min(bytes.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Rig {
        writer: LossyWriter,
        written: Receiver<String>,
        outcomes: SyncSender<io::Result<usize>>,
    }

    impl Rig {
        fn new(capacity: usize) -> Self {
            let (sender, written) = sync_channel(0);
            let (outcomes, receiver) = sync_channel(100);
            let writer: Arc<OnceLock<LossyWriter>> = Arc::default();
            let reporter = writer.clone();
            let report = move |lost| reporter.get().unwrap().clone().write_all(format!("lost {lost}\n").as_bytes()).unwrap();
            let sink = Scripted { written: sender, outcomes: receiver };
            let started = LossyWriter::start(sink, capacity, report).unwrap();
            assert!(writer.set(started.clone()).is_ok());
            Self { writer: started, written, outcomes }
        }

        fn log(&self, line: &str) {
            self.writer.clone().write_all(line.as_bytes()).unwrap();
        }

        fn next(&self, outcome: io::Result<usize>) -> String {
            let written = self.written.recv_timeout(SOON).unwrap();
            self.outcomes.send(outcome).unwrap();
            written
        }
    }

    fn full() -> io::Result<usize> {
        Err(ErrorKind::StorageFull.into())
    }

    const ALL: io::Result<usize> = Ok(usize::MAX);

    #[test]
    fn lines_beyond_the_limit_are_lost_and_reported_once_half_of_the_queue_is_free() {
        let rig = Rig::new(16);
        rig.log("first\n");
        // The first line is being written, and no longer queued.
        let first = rig.written.recv_timeout(SOON).unwrap();
        for line in ["second\n", "third\n", "fourth\n", "fifth\n", "6\n"] {
            rig.log(line);
        }
        assert_eq!(rig.writer.lost(), LostLines { queue_full: 2, write_failed: 0 });
        assert!(!rig.writer.flush_within(Duration::from_millis(1)));
        rig.outcomes.send(ALL).unwrap();
        let rest: Vec<String> = (0..4).map(|_| rig.next(ALL)).collect();
        assert_eq!((first, rest.concat()), ("first\n".into(), "second\nthird\n6\nlost 2\n".into()));
        assert!(rig.writer.flush_within(SOON));
        rig.log("seventh\n");
        assert_eq!(rig.next(ALL), "seventh\n");
        assert_eq!(rig.writer.lost().total(), 2, "the report does not count");
    }

    #[test]
    fn unwritable_lines_are_lost_and_reported_at_the_next_successful_write() {
        let rig = Rig::new(1000);
        for line in ["a\n", "b\n", "c\n"] {
            rig.log(line);
        }
        assert_eq!([rig.next(full()), rig.next(full()), rig.next(ALL)].concat(), "a\nb\nc\n");
        // The report cannot be written either. It is not counted as lost, but repeated.
        assert_eq!(rig.next(full()), "lost 2\n");
        rig.log("d\n");
        assert_eq!([rig.next(ALL), rig.next(ALL)].concat(), "d\nlost 2\n");
        assert!(rig.writer.flush_within(SOON));
        assert_eq!(rig.writer.lost(), LostLines { queue_full: 0, write_failed: 2 });
    }

    #[test]
    fn line_after_a_partially_written_line_starts_on_a_new_line() {
        let rig = Rig::new(1000);
        rig.log("first\n");
        assert_eq!([rig.next(Ok(3)), rig.next(full())].concat(), "first\nst\n");
        rig.log("second\n");
        assert_eq!([rig.next(ALL), rig.next(ALL), rig.next(ALL)].concat(), "\nsecond\nlost 1\n");
        rig.log("third\n");
        assert_eq!([rig.next(Err(ErrorKind::Interrupted.into())), rig.next(Ok(2)), rig.next(ALL)].concat(), "third\nthird\nird\n");
        assert!(rig.writer.flush_within(SOON));
        assert_eq!(rig.writer.lost().total(), 1);
    }
}
