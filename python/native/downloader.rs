//! Downloaders that are written in Python.
//!
//! The callable runs as a task in the event loop of the call that supplied it, and in that call's context. If the task is cancelled, or its
//! event loop is closed, the download fails; it never hangs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, FetchedMedia};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView, PyTuple};
use tokio::sync::oneshot;

use crate::event_loop::EventLoop;
use crate::failure::{Raised, exception};
use crate::lent_bytes::lend;

/// The type of media for which the callable has none.
const UNKNOWN_TYPE: &str = "application/octet-stream";

type Fetched = Result<FetchedMedia, FetchError>;

/// Runs an async callable that takes a URL.
pub(crate) struct PythonDownloader(Arc<Caller>);

/// Where the callable runs.
struct Caller {
    callable: Py<PyAny>,
    event_loop: Arc<EventLoop>,
    context: Py<PyAny>,
}

impl PythonDownloader {
    /// Runs `callable` in the running event loop.
    pub fn new(py: Python<'_>, callable: &Py<PyAny>) -> PyResult<Self> {
        static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (_, event_loop) = EventLoop::running(py)?;
        let context = COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()?.unbind();
        Ok(Self(Arc::new(Caller { callable: callable.clone_ref(py), event_loop, context })))
    }
}

impl Downloader for PythonDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Fetched> {
        run(self.0.clone(), url.to_owned()).boxed()
    }
}

async fn run(caller: Arc<Caller>, url: String) -> Fetched {
    let (result, received) = oneshot::channel();
    let mut task = RunningTask { caller: caller.clone(), task: Task::default(), has_ended: false };
    let (starter, slot) = (caller.clone(), task.task.clone());
    caller.event_loop.run(move |py| start(py, &starter, &url, &slot, result));
    tokio::select! {
        biased;
        fetched = received => {
            task.has_ended = true;
            fetched.unwrap_or_else(|_| Err(interrupted("its event loop was closed")))
        }
        () = caller.event_loop.closed() => Err(interrupted("its event loop was closed")),
    }
}

/// The failure of a download that was interrupted.
fn interrupted(why: &str) -> FetchError {
    let message = format!("the downloader did not finish: {why}");
    match Python::try_attach(|py| exception(py, "custom", &message, None)) {
        Some(error) => FetchError::custom(Raised(error)),
        None => FetchError::Other(message),
    }
}

/// The task of the event loop, while it runs. The event loop itself does not keep it alive.
#[derive(Clone, Default)]
struct Task(Arc<Mutex<Option<Py<PyAny>>>>);

impl Task {
    fn set(&self, task: Py<PyAny>) {
        *self.lock() = Some(task);
    }

    fn take(&self) -> Option<Py<PyAny>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A download in an event loop. Its task is cancelled if this is dropped before the task has ended.
struct RunningTask {
    caller: Arc<Caller>,
    task: Task,
    has_ended: bool,
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let (started, later) = (self.task.take(), self.task.clone());
        self.caller.event_loop.run(move |py| {
            if let Some(task) = started.or_else(|| later.take())
                && let Err(error) = task.call_method0(py, "cancel")
            {
                error.write_unraisable(py, None);
            }
        });
    }
}

/// Starts the task of a download, in the event loop.
fn start(py: Python<'_>, caller: &Caller, url: &str, slot: &Task, result: oneshot::Sender<Fetched>) {
    // The download may have been abandoned.
    if result.is_closed() {
        return;
    }
    let mut done = Done { slot: slot.clone(), result: Some(result) };
    match create_task(py, caller, url) {
        Ok(task) => {
            slot.set(task.clone().unbind());
            if let Err(error) = task.call_method1("add_done_callback", (done,)) {
                error.write_unraisable(py, Some(&task));
            }
        }
        Err(error) => done.send(Err(FetchError::custom(Raised(error)))),
    }
}

fn create_task<'py>(py: Python<'py>, caller: &Caller, url: &str) -> PyResult<Bound<'py, PyAny>> {
    static ENSURE_FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let context = caller.context.bind(py);
    let download = context.call_method1("run", (&caller.callable, url))?;
    context.call_method1("run", (ENSURE_FUTURE.import(py, "asyncio", "ensure_future")?, download))
}

/// Called when the task of a download has ended.
#[pyclass]
struct Done {
    slot: Task,
    /// `None` once the result was sent.
    result: Option<oneshot::Sender<Fetched>>,
}

#[pymethods]
impl Done {
    fn __call__(&mut self, task: &Bound<'_, PyAny>) {
        self.slot.take();
        let is_cancelled = task.call_method0("cancelled").and_then(|cancelled| cancelled.is_truthy());
        self.send(if is_cancelled.unwrap_or(true) {
            Err(interrupted("it was cancelled"))
        } else {
            match task.call_method0("result") {
                Ok(result) => fetched(&result),
                Err(error) => Err(FetchError::custom(Raised(error))),
            }
        });
    }
}

impl Done {
    fn send(&mut self, fetched: Fetched) {
        if let Some(result) = self.result.take() {
            // The download may have been abandoned.
            let _ = result.send(fetched);
        }
    }
}

/// Converts the result of the callable.
fn fetched(result: &Bound<'_, PyAny>) -> Fetched {
    if result.is_none() {
        return Err(FetchError::EmptyBody);
    }
    let convert = || -> PyResult<FetchedMedia> {
        let tuple = result.cast::<PyTuple>().map_err(|_| wrong_result(result))?;
        if tuple.len() != 3 {
            return Err(wrong_result(result));
        }
        let mimetype: Option<PyBackedStr> = tuple.get_item(1)?.extract()?;
        let filename: Option<PyBackedStr> = tuple.get_item(2)?.extract()?;
        let body = body(&tuple.get_item(0)?)?;
        let mimetype = mimetype.as_deref().unwrap_or(UNKNOWN_TYPE).to_owned();
        Ok(FetchedMedia::new(body, mimetype, filename.as_deref().unwrap_or_default().to_owned()))
    };
    let media = convert().map_err(|error| FetchError::custom(Raised(error)))?;
    if media.body.is_empty() { Err(FetchError::EmptyBody) } else { Ok(media) }
}

fn wrong_result(result: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(match result.get_type().name() {
        Ok(name) => format!("a downloader must return (data, mimetype, filename) or None, not {name}"),
        Err(_) => "a downloader must return (data, mimetype, filename) or None".to_owned(),
    })
}

/// The bytes of a Python object. Those of a `bytes` are not copied.
pub(crate) fn body(data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if data.is_none() {
        return Ok(Bytes::new());
    }
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(lend(bytes));
    }
    let copied = PyMemoryView::from(data)?.call_method0("tobytes")?;
    Ok(lend(copied.cast::<PyBytes>()?))
}
