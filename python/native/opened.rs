//! A cache that is opened by the first call that needs it, and closed when the interpreter exits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::join_all;
use media_cache_attach::{DirectoryOptions, Role, SharedCache};
use pyo3::prelude::*;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::runtime;
use crate::settings::Settings;

/// How long the threads of the runtime may take to end after all caches are closed.
const STOP: Duration = Duration::from_secs(1);

/// The caches that were opened, to close them at exit.
static OPENED: Mutex<Vec<Weak<OpenedCache>>> = Mutex::new(Vec::new());

/// The caches that are being closed because nothing refers to them any more.
static CLOSING: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// A cache that is opened on demand.
pub(crate) struct OpenedCache {
    pub settings: Settings,
    /// The options of the directory that this process sets.
    pub options: DirectoryOptions,
    shared: OnceCell<SharedCache>,
    is_closed: AtomicBool,
}

impl OpenedCache {
    /// A cache that is not open yet.
    pub fn new(settings: Settings, options: DirectoryOptions) -> Self {
        Self { settings, options, shared: OnceCell::new(), is_closed: AtomicBool::new(false) }
    }

    /// The cache, if it is open.
    pub fn get(&self) -> Option<&SharedCache> {
        self.shared.get().filter(|_| !self.is_closed.load(Ordering::Relaxed))
    }

    /// Opens the directory or attaches to its owner, unless that has happened. Concurrent calls share the result; after a failure, the next
    /// call tries again.
    pub async fn open(self: &Arc<Self>) -> Result<&SharedCache, Failure> {
        let shared = self.shared.get_or_try_init(|| self.attach()).await?;
        if self.is_closed.load(Ordering::Relaxed) { Err(Failure::Closed) } else { Ok(shared) }
    }

    async fn attach(self: &Arc<Self>) -> Result<SharedCache, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Failure::Closed);
        }
        let settings = self.settings.clone();
        let configure = move |options: &DirectoryOptions| settings.builder(options);
        let shared = SharedCache::open_or_attach(&self.settings.directory, self.options.clone(), configure).await?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|cache| cache.strong_count() > 0);
        opened.push(Arc::downgrade(self));
        Ok(shared)
    }

    /// How this process uses the directory. `None` before it is opened.
    pub fn role(&self) -> Option<Role> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Some(Role::Closed);
        }
        self.shared.get().map(SharedCache::role)
    }

    /// Closes the cache. If it is being opened, waits for that first. Does nothing if it is closed.
    pub async fn close(self: Arc<Self>) -> Result<(), Failure> {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        match self.shared.get_or_try_init(|| async { Err(Failure::Closed) }).await {
            Ok(shared) => Ok(shared.close().await?),
            // It was never opened.
            Err(_) => Ok(()),
        }
    }
}

impl Drop for OpenedCache {
    fn drop(&mut self) {
        let shared = std::mem::take(&mut self.shared);
        if runtime::has_forked() {
            // Dropping it could wait for threads that do not exist in this process.
            std::mem::forget(shared);
            return;
        }
        let is_open = !*self.is_closed.get_mut();
        let (Some(shared), true, Ok(handle)) = (shared.into_inner(), is_open, runtime::handle()) else { return };
        let mut closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
        closing.retain(|task| !task.is_finished());
        closing.push(handle.spawn(async move {
            // There is no caller to report an error to.
            let _ = shared.close().await;
        }));
    }
}

/// Closes all caches and stops the runtime, at the end of the process. Waits for at most `limit` seconds; entries are stored in any case,
/// but the order of use may be lost after that. Returns whether all caches were closed.
#[pyfunction]
pub(crate) fn close_all(py: Python<'_>, limit: f64) -> bool {
    if runtime::has_forked() || !runtime::is_started() {
        return true;
    }
    let Ok(handle) = runtime::handle() else { return true };
    let limit = Duration::try_from_secs_f64(limit).unwrap_or_default();
    py.detach(|| {
        let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
        let closing = std::mem::take(&mut *CLOSING.lock().unwrap_or_else(PoisonError::into_inner));
        let closed = handle.block_on(async {
            let open = opened.iter().filter_map(Weak::upgrade).map(OpenedCache::close);
            tokio::time::timeout(limit, async { (join_all(open).await, join_all(closing).await) }).await
        });
        runtime::stop(STOP);
        closed.is_ok()
    })
}
