//! Converts failures to the exceptions in `media_cache.errors`.

use std::fmt;

use media_cache::{CacheError, FailureKind, FetchError, StoreError, describe};
use media_cache_attach::{AttachError, OptionConflict, PolicyError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Why a call failed.
pub(crate) enum Failure {
    Cache(CacheError),
    NotStored(StoreError),
    Open(String),
    Conflict(OptionConflict),
    Policy(String),
    Python(PyErr),
    Forked,
    Closed,
    Other(String),
}

/// The exception of a Python downloader, as the cause of a failed download.
#[derive(Debug)]
pub(crate) struct Raised(pub PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Python::try_attach(|py| self.0.value(py).repr().map(|text| text.to_string()));
        f.write_str(&text.and_then(Result::ok).unwrap_or_else(|| "an exception".into()))
    }
}

impl std::error::Error for Raised {}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Closed => Self::Closed,
            error => Self::Cache(error),
        }
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Conflict(conflict) => Self::Conflict(conflict),
            error => Self::Open(error.to_string()),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Kept(why) => Self::Policy(why),
            PolicyError::Cache(error) => error.into(),
        }
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| failure.into_exception(py))
    }
}

impl Failure {
    /// The exception that Python gets.
    pub fn into_exception(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Python(error) => error,
            Self::Cache(CacheError::Fetch(error)) => fetch_exception(py, &error),
            Self::Cache(CacheError::Store(error)) | Self::NotStored(error) => store_exception(py, &error),
            Self::Cache(error @ CacheError::Copy(_)) => exception(py, "disk-failed", &error.to_string(), None),
            Self::Cache(CacheError::BrokeDown) => exception(py, "broke-down", &CacheError::BrokeDown.to_string(), None),
            Self::Cache(CacheError::Unavailable(outage)) => {
                exception(py, "degraded", &CacheError::Unavailable(outage).to_string(), None)
            }
            Self::Cache(CacheError::Closed) | Self::Closed => exception(py, "closed", "the cache is closed", None),
            Self::Open(why) => exception(py, "cannot-open", &why, None),
            Self::Conflict(conflict) => conflict_exception(py, &conflict),
            Self::Policy(why) => exception(py, "unfit-policy", &why, None),
            Self::Forked => exception(
                py,
                "forked",
                "this process was forked from one that was using a cache, and cannot use any; create it with `spawn` or `forkserver`, or \
                 do not use a cache before the fork",
                None,
            ),
            Self::Other(why) => exception(py, "other", &why, None),
        }
    }
}

fn fetch_exception(py: Python<'_>, error: &FetchError) -> PyErr {
    if let FetchError::Custom(failure) = error
        && let Some(raised) = failure.cause().and_then(|cause| cause.downcast_ref::<Raised>())
    {
        return raised.0.clone_ref(py);
    }
    let retry_after = match error {
        FetchError::Unavailable(seconds) | FetchError::Overloaded(seconds) => *seconds,
        _ => None,
    };
    exception(py, error.name(), &error.to_string(), retry_after)
}

fn store_exception(py: Python<'_>, error: &StoreError) -> PyErr {
    let code = match error {
        StoreError::InvalidUrl(_) => "invalid-url",
        StoreError::Oversize(_) => "too-large",
        StoreError::Refused => "not-admitted",
        StoreError::NoStore => "no-store",
        StoreError::NotReady => "not-ready",
        StoreError::NoSpace(_) => "no-space",
        StoreError::Disk(_) => "disk-failed",
    };
    exception(py, code, &describe(error), None)
}

/// An exception of the class with this code.
pub(crate) fn exception(py: Python<'_>, code: &str, message: &str, retry_after: Option<u32>) -> PyErr {
    static ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let create = || -> PyResult<PyErr> {
        let create = ERROR.import(py, "media_cache.errors", "error")?;
        Ok(PyErr::from_value(create.call1((code, message, retry_after))?))
    };
    create().unwrap_or_else(|error| error)
}

fn conflict_exception(py: Python<'_>, conflict: &OptionConflict) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let OptionConflict { name, ours, theirs } = conflict;
    let create = || -> PyResult<PyErr> {
        let class = CLASS.import(py, "media_cache.errors", "OptionConflictError")?;
        Ok(PyErr::from_value(class.call1((conflict.to_string(), name, ours, theirs))?))
    };
    create().unwrap_or_else(|error| error)
}

/// The name and the HTTP status of every kind of failed download.
#[pyfunction]
pub(crate) fn failure_kinds() -> Vec<(&'static str, u16)> {
    FailureKind::ALL.map(|kind| (kind.name(), kind.status())).to_vec()
}
