//! The class that Python's `MediaCache` extends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use media_cache::{CacheError, FetchedMedia, Outage};
use media_cache_attach::Role;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyDict;

use crate::call::{Call, Download, Lookup, answer};
use crate::documents;
use crate::downloader::body;
use crate::failure::Failure;
use crate::media::Form;
use crate::opened::OpenedCache;
use crate::runtime;
use crate::settings::{Settings, directory_options};

/// How long [`Cache::stats`] may block.
const MAX_STATS: Duration = Duration::from_secs(1);

/// A cache, which the first call opens.
#[pyclass(subclass, frozen, module = "media_cache._native")]
pub(crate) struct Cache(Arc<OpenedCache>);

impl Cache {
    fn lookup(&self, url: PyBackedStr, form: Form, download: Download) -> Call {
        Call::lookup(Lookup { cache: self.0.clone(), url, form, download })
    }
}

fn download(downloader: Option<Py<PyAny>>) -> Download {
    downloader.map_or(Download::BuiltIn, Download::With)
}

#[pymethods]
impl Cache {
    /// Remembers the options. `options` are those of the directory that are set explicitly.
    #[new]
    fn new(
        directory: PathBuf,
        options: Vec<(String, String)>,
        max_body_mb: u64,
        allow_addresses: Vec<String>,
        headers: Vec<String>,
        failure_memory_seconds: f64,
    ) -> PyResult<Self> {
        let failure_memory = Duration::try_from_secs_f64(failure_memory_seconds);
        let failure_memory = failure_memory.map_err(|error| PyValueError::new_err(format!("failure_memory_seconds: {error}")))?;
        let settings = Settings { directory, max_body_mb, allow_addresses, headers, failure_memory };
        settings.check().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self(Arc::new(OpenedCache::new(settings, directory_options(&options)))))
    }

    /// The directory.
    #[getter]
    fn directory(&self) -> PathBuf {
        self.0.settings.directory.clone()
    }

    /// How this process uses the directory.
    #[getter]
    fn role(&self) -> &'static str {
        match self.0.role() {
            None => "unopened",
            Some(Role::Owner) => "owner",
            Some(Role::Attached) => "attached",
            Some(Role::Closed) => "closed",
        }
    }

    /// Opens the directory, or attaches to the process that owns it.
    fn ensure_loaded(&self) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            cache.open().await?;
            Ok(answer(|py| Ok(py.None())))
        })
    }

    /// Gets stored media.
    fn get(&self, url: PyBackedStr) -> Call {
        self.lookup(url, Form::Bytes, Download::No)
    }

    /// Gets stored media without copying it.
    fn get_view(&self, url: PyBackedStr) -> Call {
        self.lookup(url, Form::Viewed, Download::No)
    }

    /// Gets media, and downloads it on a miss.
    #[pyo3(signature = (url, downloader=None))]
    fn get_or_download(&self, url: PyBackedStr, downloader: Option<Py<PyAny>>) -> Call {
        self.lookup(url, Form::Bytes, download(downloader))
    }

    /// Gets media without copying it, and downloads it on a miss.
    #[pyo3(signature = (url, downloader=None))]
    fn get_or_download_view(&self, url: PyBackedStr, downloader: Option<Py<PyAny>>) -> Call {
        self.lookup(url, Form::Viewed, download(downloader))
    }

    /// Stores media. Returns whether it is new.
    fn put(&self, url: PyBackedStr, data: &Bound<'_, PyAny>, mimetype: PyBackedStr, filename: PyBackedStr) -> PyResult<Call> {
        let (cache, body) = (self.0.clone(), body(data)?);
        Ok(Call::new(async move {
            let media = FetchedMedia::new(body, mimetype.to_string(), filename.to_string());
            let outcome = cache.open().await?.put(&url, media).await?;
            match outcome.not_stored {
                Some(error) => Err(Failure::NotStored(error)),
                None => Ok(answer(move |py| Ok((!outcome.known).into_pyobject(py)?.to_owned().into_any().unbind()))),
            }
        }))
    }

    /// Removes media. Returns whether there was any.
    fn remove(&self, url: PyBackedStr) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            let removed = cache.open().await?.remove(&url).await?;
            Ok(answer(move |py| Ok(removed.into_pyobject(py)?.to_owned().into_any().unbind())))
        })
    }

    /// A page of entries and the position of the next one.
    fn entries_page(&self, after: Option<u64>, limit: u32) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            let page = cache.open().await?.entries(after, limit).await?;
            Ok(answer(move |py| {
                let entries = page.entries.iter().map(|listed| documents::entry(py, listed)).collect::<PyResult<Vec<_>>>()?;
                Ok((entries, page.next).into_pyobject(py)?.into_any().unbind())
            }))
        })
    }

    /// Counters and sizes. `None` if the cache is not open yet.
    fn open_stats<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let handle = runtime::handle()?;
        let Some(shared) = self.0.get() else {
            return if self.0.role() == Some(Role::Closed) { Err(Failure::Closed.into()) } else { Ok(None) };
        };
        let status = py.detach(|| handle.block_on(async { tokio::time::timeout(MAX_STATS, shared.status()).await }));
        let reason = || format!("it did not report its status within {} s", MAX_STATS.as_secs());
        let late = |_| CacheError::Unavailable(Outage { reason: reason(), since: std::time::SystemTime::now() });
        let (status, _) = status.map_err(late).and_then(|status| status).map_err(Failure::from)?;
        documents::stats(py, &status).map(Some)
    }

    /// The state of the eviction policy.
    fn policy(&self) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            let status = cache.open().await?.policy().await?;
            Ok(answer(move |py| Ok(documents::policy(py, &status)?.into_any().unbind())))
        })
    }

    /// Replaces the eviction policy.
    fn swap_policy(&self, policy: PyBackedStr) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            let spec = policy.parse().map_err(|error: media_cache::policy::PolicySpecError| Failure::Policy(error.to_string()))?;
            let status = cache.open().await?.swap_policy(spec).await?;
            Ok(answer(move |py| Ok(documents::policy(py, &status)?.into_any().unbind())))
        })
    }

    /// Restores the previous eviction policy.
    fn rollback_policy(&self) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            let status = cache.open().await?.rollback_policy().await?;
            Ok(answer(move |py| Ok(documents::policy(py, &status)?.into_any().unbind())))
        })
    }

    /// Finishes the work in progress and releases the directory.
    fn close(&self) -> Call {
        let cache = self.0.clone();
        Call::new(async move {
            cache.close().await?;
            Ok(answer(|py| Ok(py.None())))
        })
    }
}
