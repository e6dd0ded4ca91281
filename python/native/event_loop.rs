//! Runs work in an event loop, on behalf of other threads.
//!
//! These threads do not attach to the interpreter for that: they would compete with the event loop for the interpreter's lock, and each
//! would delay it. They add the work to a queue instead, and write to a pipe that the event loop polls. Work that has not run when the loop
//! is closed is dropped.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::sync::watch;

/// How long the queue may occupy the event loop before other callbacks of the loop have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// Work in an event loop.
type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// An event loop, as other threads see it. It lives as long as the loop is open.
pub(crate) struct EventLoop {
    queue: Mutex<Queue>,
    is_closed: watch::Sender<bool>,
}

struct Queue {
    jobs: VecDeque<Job>,
    wakeup: PipeWriter,
    /// Whether the pipe contains a byte.
    is_signalled: bool,
}

impl EventLoop {
    /// The running event loop of this thread, for Python and for other threads.
    pub fn running(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Arc<Self>)> {
        static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static KNOWN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let object = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let new = || Ok::<_, PyErr>(py.import("weakref")?.getattr("WeakKeyDictionary")?.call0()?.unbind());
        let known = KNOWN.get_or_try_init(py, new)?.bind(py);
        let found = known.call_method1("get", (&object,))?;
        if let Ok(found) = found.cast::<Known>() {
            return Ok((object, found.get().0.clone()));
        }
        let (reader, wakeup) = std::io::pipe()?;
        let queue = Queue { jobs: VecDeque::new(), wakeup, is_signalled: false };
        let this = Arc::new(Self { queue: Mutex::new(queue), is_closed: watch::Sender::new(false) });
        let descriptor = reader.as_raw_fd();
        object.call_method1("add_reader", (descriptor, RunQueue { event_loop: this.clone(), reader }))?;
        known.set_item(&object, Known(this.clone()))?;
        Ok((object, this))
    }

    /// Runs a job in the event loop, soon. Drops it if the loop is closed.
    pub fn run(&self, job: impl FnOnce(Python<'_>) + Send + 'static) {
        if *self.is_closed.borrow() {
            return;
        }
        let mut queue = self.queue();
        queue.jobs.push_back(Box::new(job));
        if !queue.is_signalled {
            // The reader is closed only together with the loop. Writing never blocks: the pipe is empty.
            queue.is_signalled = queue.wakeup.write_all(&[0]).is_ok();
        }
    }

    /// Waits until the loop is closed.
    pub async fn closed(&self) {
        // The sender exists as long as `self`.
        let _ = self.is_closed.subscribe().wait_for(|is_closed| *is_closed).await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of an event loop in the dictionary of those that are known.
#[pyclass(frozen)]
struct Known(Arc<EventLoop>);

/// The callback of the pipe. The event loop has the only reference to it, and drops it when it is closed.
#[pyclass(frozen)]
struct RunQueue {
    event_loop: Arc<EventLoop>,
    reader: PipeReader,
}

#[pymethods]
impl RunQueue {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let begun = Instant::now();
        loop {
            let job = {
                let mut queue = self.event_loop.queue();
                let job = queue.jobs.pop_front();
                if job.is_none() && queue.is_signalled {
                    (&self.reader).read_exact(&mut [0])?;
                    queue.is_signalled = false;
                }
                job
            };
            let Some(job) = job else { return Ok(()) };
            job(py);
            if begun.elapsed() > SLICE {
                // The pipe still contains the byte, so the event loop comes back.
                return Ok(());
            }
        }
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        self.event_loop.is_closed.send_replace(true);
        // Dropping a job may add another one, and that takes the lock.
        let jobs = std::mem::take(&mut self.event_loop.queue().jobs);
        drop(jobs);
    }
}
