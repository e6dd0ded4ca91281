//! Downloaders that are written in Python.
//!
//! The callable runs as a task in the event loop of the call that supplied it, and in that call's context. If the task is cancelled, or its
//! event loop is closed, the download fails; it never hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, FetchedMedia};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyTuple};
use tokio::sync::oneshot;

use crate::failure::{Raised, exception};

/// How often to check whether the event loop was closed. It does not tell anyone.
const CHECK_LOOP: Duration = Duration::from_millis(250);

/// The type of media for which the callable has none.
const UNKNOWN_TYPE: &str = "application/octet-stream";

type Fetched = Result<FetchedMedia, FetchError>;

/// Runs an async callable that takes a URL.
pub(crate) struct PythonDownloader(Arc<Caller>);

/// Where the callable runs.
struct Caller {
    callable: Py<PyAny>,
    event_loop: Py<PyAny>,
    context: Py<PyAny>,
}

impl PythonDownloader {
    /// Runs `callable` in the running event loop.
    pub fn new(py: Python<'_>, callable: &Py<PyAny>) -> PyResult<Self> {
        static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let event_loop = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?.unbind();
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
    let (sender, mut receiver) = oneshot::channel();
    let is_closed = || Python::try_attach(|py| caller.event_loop.call_method0(py, "is_closed")?.is_truthy(py)).unwrap_or(Ok(true));
    let task = Python::try_attach(|py| -> PyResult<RunningTask> {
        let task = Py::new(py, DownloadTask { caller: caller.clone(), url, result: Some(sender), task: None })?;
        let start = task.getattr(py, "start")?;
        let context = [("context", &caller.context)].into_py_dict(py)?;
        caller.event_loop.call_method(py, "call_soon_threadsafe", (start,), Some(&context))?;
        Ok(RunningTask { caller: caller.clone(), task: Mutex::new(Some(task)) })
    });
    let task = match task {
        Some(Ok(task)) => task,
        Some(Err(error)) => return Err(FetchError::custom(Raised(error))),
        None => return Err(interrupted("the interpreter is exiting")),
    };
    let mut checks = tokio::time::interval(CHECK_LOOP);
    loop {
        tokio::select! {
            biased;
            result = &mut receiver => {
                task.ended();
                return result.unwrap_or_else(|_| Err(interrupted("its event loop ended")));
            }
            _ = checks.tick() => if is_closed().unwrap_or(true) {
                return Err(interrupted("its event loop was closed"));
            }
        }
    }
}

/// The failure of a download that did not end by itself.
fn interrupted(why: &str) -> FetchError {
    let message = format!("the downloader did not finish: {why}");
    match Python::try_attach(|py| exception(py, "custom", &message, None)) {
        Some(error) => FetchError::custom(Raised(error)),
        None => FetchError::Other(message),
    }
}

/// A task of an event loop. It is cancelled if this is dropped before it has ended.
struct RunningTask {
    caller: Arc<Caller>,
    task: Mutex<Option<Py<DownloadTask>>>,
}

impl RunningTask {
    fn ended(&self) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        Python::try_attach(|py| {
            let cancel = task.getattr(py, "cancel")?;
            // Fails if the event loop was closed, and then there is nothing to cancel.
            self.caller.event_loop.call_method1(py, "call_soon_threadsafe", (cancel,))
        });
    }
}

/// The part of a download that runs in the event loop.
#[pyclass]
struct DownloadTask {
    caller: Arc<Caller>,
    url: String,
    result: Option<oneshot::Sender<Fetched>>,
    /// The task of the event loop, while it runs. The event loop itself does not keep it alive.
    task: Option<Py<PyAny>>,
}

#[pymethods]
impl DownloadTask {
    /// Creates the task.
    fn start(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (caller, url) = {
            let this = slf.borrow();
            if this.result.is_none() {
                return Ok(());
            }
            (this.caller.clone(), this.url.clone())
        };
        match create_task(py, &caller, &url) {
            Ok(task) => {
                slf.borrow_mut().task = Some(task.clone().unbind());
                task.call_method1("add_done_callback", (slf.getattr("done")?,))?;
            }
            Err(error) => slf.borrow_mut().send(Err(FetchError::custom(Raised(error)))),
        }
        Ok(())
    }

    /// Called when the task has ended.
    fn done(&mut self, task: &Bound<'_, PyAny>) {
        self.task = None;
        let fetched = if task.call_method0("cancelled").and_then(|cancelled| cancelled.is_truthy()).unwrap_or(true) {
            Err(interrupted("it was cancelled"))
        } else {
            match task.call_method0("result") {
                Ok(result) => fetched(&result),
                Err(error) => Err(FetchError::custom(Raised(error))),
            }
        };
        self.send(fetched);
    }

    /// Cancels the task.
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (task, _) = {
            let mut this = slf.borrow_mut();
            (this.task.take(), this.result.take())
        };
        if let Some(task) = task {
            task.call_method0(slf.py(), "cancel")?;
        }
        Ok(())
    }
}

impl DownloadTask {
    fn send(&mut self, fetched: Fetched) {
        if let Some(result) = self.result.take() {
            // The download may have been abandoned.
            let _ = result.send(fetched);
        }
    }
}

fn create_task<'py>(py: Python<'py>, caller: &Caller, url: &str) -> PyResult<Bound<'py, PyAny>> {
    static ENSURE_FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let download = caller.callable.bind(py).call1((url,))?;
    let event_loop = [("loop", &caller.event_loop)].into_py_dict(py)?;
    ENSURE_FUTURE.import(py, "asyncio", "ensure_future")?.call((download,), Some(&event_loop))
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
    if let Ok(bytes) = data.extract::<PyBackedBytes>() {
        return Ok(Bytes::from_owner(bytes));
    }
    let copied = data.py().import("builtins")?.getattr("bytes")?.call1((data
        .py()
        .import("builtins")?
        .getattr("memoryview")?
        .call1((data,))?,))?;
    let bytes = copied.extract::<PyBackedBytes>().map_err(|_| PyRuntimeError::new_err("cannot copy the data"))?;
    Ok(Bytes::from_owner(bytes))
}
