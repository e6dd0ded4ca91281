//! A call to a cache, which Python awaits.
//!
//! Nothing happens until the call is awaited. It is then answered at once if the media is available, and otherwise becomes a future of the
//! running event loop. If that future is cancelled, the work continues, since others may be waiting for its result.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use media_cache::Media;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCFunction;

use crate::downloader::PythonDownloader;
use crate::failure::Failure;
use crate::media::{CompleteMedia, Form, tuple_of_available};
use crate::opened::OpenedCache;
use crate::runtime;

/// The result of work outside Python, converted once a thread is attached to Python.
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
        if let Some(media) = shared.get_resident(&self.url) {
            return tuple_of_available(py, &media, self.form);
        }
        let Some(owned) = shared.owned() else { return Ok(None) };
        let Some(hit) = owned.resident_hit(&self.url) else { return Ok(None) };
        let tuple = tuple_of_available(py, hit.media(), self.form)?;
        if tuple.is_some() {
            let _ = hit.count();
        }
        Ok(tuple)
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
fn start(py: Python<'_>, work: Work) -> PyResult<Py<PyAny>> {
    static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let handle = runtime::handle()?;
    let event_loop = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
    let future = event_loop.call_method0("create_future")?;
    let iterator = future.call_method0("__iter__")?.unbind();
    let (event_loop, future) = (event_loop.unbind(), future.unbind());
    handle.spawn(async move {
        let outcome = work.await;
        // `None` while the interpreter exits: nobody is waiting any more.
        Python::try_attach(|py| {
            let outcome = outcome.map_err(|failure| failure.into_exception(py)).and_then(|answer| answer(py));
            let (value, is_error) = match outcome {
                Ok(value) => (value, false),
                Err(error) => (error.into_value(py).into_any(), true),
            };
            // Fails if the event loop was closed: nobody is waiting either.
            let _ =
                set_result(py).and_then(|set| event_loop.call_method1(py, "call_soon_threadsafe", (set, future, value, is_error)));
        });
    });
    Ok(iterator)
}

/// The function that completes a future, unless it was cancelled.
fn set_result(py: Python<'_>) -> PyResult<Py<PyAny>> {
    #[pyfunction]
    fn complete(future: &Bound<'_, PyAny>, value: Py<PyAny>, is_error: bool) -> PyResult<()> {
        if !future.call_method0("done")?.is_truthy()? {
            future.call_method1(if is_error { "set_exception" } else { "set_result" }, (value,))?;
        }
        Ok(())
    }
    static SET_RESULT: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();
    let set = SET_RESULT.get_or_try_init(py, || pyo3::wrap_pyfunction!(complete, py).map(Bound::unbind))?;
    Ok(set.clone_ref(py).into_any())
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
        let work = match std::mem::replace(&mut self.0, Step::Ended) {
            Step::Lookup(lookup) => {
                runtime::check()?;
                if let Some(value) = lookup.available(py)? {
                    return Err(PyStopIteration::new_err((value,)));
                }
                lookup.work(py)?
            }
            Step::Start(work) => work.into_inner().unwrap_or_else(PoisonError::into_inner),
            Step::Waiting(iterator) => return self.wait(py, iterator),
            Step::Ended => return Err(PyRuntimeError::new_err("this call was already awaited")),
        };
        let iterator = start(py, work)?;
        self.wait(py, iterator)
    }

    /// For event loops, which treat this as a coroutine.
    fn send(&mut self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)
    }

    /// Ends the call with an exception.
    #[pyo3(signature = (kind, value=None, _traceback=None))]
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
