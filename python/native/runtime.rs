//! The Tokio runtime of the process. It is started by the first call that needs it, and stopped when the interpreter exits.
//!
//! A forked child has the runtime's memory, but none of its threads. It can therefore not use any cache, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::failure::Failure;

/// The number of threads that run downloads and serve attached processes. Reading large files and converting GIFs have further threads.
const THREADS: usize = 2;

/// How much nicer these threads are than the one that started them, so that they delay event loops as little as possible.
const NICE: i32 = 5;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
static HANDLE: OnceLock<Handle> = OnceLock::new();
static FORKED: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Fails in a child that was forked after the runtime had started, and after the interpreter has begun to exit.
pub(crate) fn check() -> Result<(), Failure> {
    if has_forked() {
        return Err(Failure::Forked);
    }
    if STOPPED.load(Ordering::Relaxed) { Err(Failure::Closed) } else { Ok(()) }
}

/// Whether this process was forked from one whose runtime had started.
pub(crate) fn has_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// The runtime, which is started if necessary.
pub(crate) fn handle() -> Result<&'static Handle, Failure> {
    check()?;
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if runtime.is_none() {
        // Threads that these start inherit it. If it cannot be set, event loops may have to wait longer.
        let niceness = rustix::process::getpriority_process(None).unwrap_or(0).saturating_add(NICE);
        let be_nice = move || _ = rustix::process::setpriority_process(None, niceness);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("media-cache").on_thread_start(be_nice).enable_all();
        let started = builder.build();
        *runtime = Some(started.map_err(|error| Failure::Other(format!("cannot start the runtime: {error}")))?);
    }
    let handle = runtime.as_ref().map(|runtime| runtime.handle().clone()).ok_or(Failure::Closed)?;
    Ok(HANDLE.get_or_init(|| handle))
}

/// Stops the runtime for good. Waits for its threads within the limit.
pub(crate) fn stop(limit: Duration) {
    STOPPED.store(true, Ordering::Relaxed);
    let runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(limit);
    }
}

/// Whether the runtime was started in this process or one that it was forked from.
#[pyfunction]
pub(crate) fn is_started() -> bool {
    HANDLE.get().is_some()
}

/// The sockets and locks that a forked child must close, as file descriptors.
#[pyfunction]
pub(crate) fn open_descriptors() -> Vec<i32> {
    media_cache_attach::open_descriptors()
}

/// Makes every further use of a cache fail in this process, which is a forked child.
#[pyfunction]
pub(crate) fn mark_forked() {
    FORKED.store(true, Ordering::Relaxed);
}
