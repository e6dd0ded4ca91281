//! A call to a cache, which Python awaits.
//!
//! Nothing happens until the call is awaited. It is then answered at once if the media is available, and otherwise becomes a future of the
//! running event loop. If that future is cancelled, the work continues, since others may be waiting for its result.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use media_cache::Media;
use media_cache_attach::Role;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::downloader::PythonDownloader;
use crate::event_loop::EventLoop;
use crate::failure::Failure;
use crate::loop_task::LoopTask;
use crate::media::{CompleteMedia, Form, tuple_of_available};
use crate::opened::OpenedCache;
use crate::runtime;

/// The result of work outside Python, to be converted in the event loop.
pub(crate) type Answer = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Work outside Python.
pub(crate) type Work = BoxFuture<'static, Result<Answer, Failure>>;

/// A call to a cache. It can be awaited once, in any event loop.
#[pyclass(module = "media_cache._native")]
pub(crate) struct Call(Step);

enum Step {
    Lookup(Lookup),
    /// The lock is never contended: it makes the work shareable, as Python requires of its objects.
    Start(Mutex<Work>),
    /// The iterator of a future.
    Waiting(Py<PyAny>),
    Ended,
}

/// Finds media, or downloads it.
pub(crate) struct Lookup {
    pub cache: Arc<OpenedCache>,
    pub url: PyBackedStr,
    pub form: Form,
    pub download: Download,
}

/// Where work runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the event loop, if none of its steps takes long.
    EventLoop,
    /// On a thread of the runtime.
    Runtime,
}

/// What to do on a miss.
pub(crate) enum Download {
    No,
    BuiltIn,
    With(Py<PyAny>),
}

impl Call {
    /// A call that looks for media.
    pub fn lookup(lookup: Lookup) -> Self {
        Self(Step::Lookup(lookup))
    }

    /// Any other call.
    pub fn new(work: impl Future<Output = Result<Answer, Failure>> + Send + 'static) -> Self {
        Self(Step::Start(Mutex::new(Box::pin(work))))
    }
}

/// Makes an answer.
pub(crate) fn answer(convert: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static) -> Answer {
    Box::new(convert)
}

impl Lookup {
    /// The tuple for media that is available without waiting.
    fn available(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(shared) = self.cache.get() else { return Ok(None) };
        let Some(owned) = shared.owned() else { return Ok(None) };
        let Some(hit) = owned.resident_hit(&self.url) else { return Ok(None) };
        let tuple = tuple_of_available(py, hit.media(), self.form)?;
        if tuple.is_some() {
            let _ = hit.count();
        }
        Ok(tuple)
    }

    /// Where to look for media that is not available. Opening a directory, or taking it over, takes long.
    fn place(&self) -> Place {
        let is_owner = self.cache.get().is_some_and(|shared| shared.role() == Role::Owner);
        if is_owner { Place::EventLoop } else { Place::Runtime }
    }

    /// The work if the media is not available.
    fn work(self, py: Python<'_>) -> PyResult<Work> {
        let Self { cache, url, form, download } = self;
        let downloader = match &download {
            Download::With(callable) => Some(PythonDownloader::new(py, callable)?),
            Download::No | Download::BuiltIn => None,
        };
        Ok(Box::pin(async move {
            let shared = cache.open().await?;
            let media: Option<Media> = match (download, downloader) {
                (Download::No, _) => shared.get(&url).await?,
                (_, Some(downloader)) => Some(shared.get_or_download_with(&url, downloader).await?),
                (_, None) => Some(shared.get_or_download(&url).await?),
            };
            let Some(media) = media else { return Ok(answer(|py| Ok(py.None()))) };
            let complete = CompleteMedia::read(media).await?;
            Ok(answer(move |py| complete.into_tuple(py, form)))
        }))
    }
}

/// Starts work, and returns the iterator of a future for its result.
fn start(py: Python<'_>, work: Work, place: Place) -> PyResult<Py<PyAny>> {
    let runtime = runtime::handle()?;
    let (object, event_loop) = EventLoop::running(py)?;
    let future = object.call_method0("create_future")?;
    let iterator = future.call_method0("__iter__")?.unbind();
    let future = future.unbind();
    match place {
        Place::EventLoop => LoopTask::start(py, event_loop, runtime, work, future),
        Place::Runtime => drop(runtime.spawn(async move {
            let outcome = work.await;
            event_loop.run(move |py| complete(future.bind(py), outcome));
        })),
    }
    Ok(iterator)
}

/// Completes a future, unless it was cancelled.
pub(crate) fn complete(future: &Bound<'_, PyAny>, outcome: Result<Answer, Failure>) {
    let py = future.py();
    let set = || {
        if future.call_method0("done")?.is_truthy()? {
            return Ok(());
        }
        match outcome.map_err(|failure| failure.into_exception(py)).and_then(|answer| answer(py)) {
            Ok(value) => future.call_method1("set_result", (value,))?,
            Err(error) => future.call_method1("set_exception", (error,))?,
        };
        PyResult::Ok(())
    };
    if let Err(error) = set() {
        error.write_unraisable(py, Some(future));
    }
}

#[pymethods]
impl Call {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (work, place) = match std::mem::replace(&mut self.0, Step::Ended) {
            Step::Lookup(lookup) => {
                runtime::check()?;
                if let Some(value) = lookup.available(py)? {
                    return Err(PyStopIteration::new_err((value,)));
                }
                let place = lookup.place();
                (lookup.work(py)?, place)
            }
            Step::Start(work) => (work.into_inner().unwrap_or_else(PoisonError::into_inner), Place::Runtime),
            Step::Waiting(iterator) => return self.wait(py, iterator),
            Step::Ended => return Err(PyRuntimeError::new_err("this call was already awaited")),
        };
        let iterator = start(py, work, place)?;
        self.wait(py, iterator)
    }

    /// For event loops, which treat this as a coroutine.
    #[pyo3(signature = (_value, /))]
    fn send(&mut self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)
    }

    /// Ends the call with an exception.
    #[pyo3(signature = (kind, value=None, _traceback=None, /))]
    fn throw(
        &mut self,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.0 = Step::Ended;
        let exception = match value {
            Some(value) if value.is_instance_of::<PyBaseException>() => value.clone(),
            Some(value) => kind.call1((value,))?,
            None if kind.is_instance_of::<PyBaseException>() => kind.clone(),
            None => kind.call0()?,
        };
        Err(PyErr::from_value(exception))
    }

    /// Ends the call.
    fn close(&mut self) {
        self.0 = Step::Ended;
    }
}

impl Call {
    /// Continues the iterator of the future: yields the future, or ends with its result.
    fn wait(&mut self, py: Python<'_>, iterator: Py<PyAny>) -> PyResult<Py<PyAny>> {
        let next = iterator.call_method0(py, pyo3::intern!(py, "__next__"));
        if next.is_ok() {
            self.0 = Step::Waiting(iterator);
        }
        next
    }
}
