//! Work that runs in an event loop, as a task of Rust.
//!
//! A call to a cache in this process consists of short steps between which other threads work. Running the steps where the result is needed
//! saves waking another thread before the first one and after the last one.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::call::{Work, complete};
use crate::event_loop::EventLoop;

/// Work that does not block, and the future of the event loop for its result.
pub(crate) struct LoopTask {
    event_loop: Arc<EventLoop>,
    runtime: &'static Handle,
    /// `None` while it runs, and once it has ended.
    work: Mutex<Option<(Work, Py<PyAny>)>>,
}

impl LoopTask {
    /// Starts work in the running event loop.
    pub fn start(py: Python<'_>, event_loop: Arc<EventLoop>, runtime: &'static Handle, work: Work, future: Py<PyAny>) {
        let task = Self { event_loop, runtime, work: Mutex::new(Some((work, future))) };
        Arc::new(task).run(py);
    }

    /// Runs the work until it has to wait. All calls are on the thread of the event loop.
    fn run(self: &Arc<Self>, py: Python<'_>) {
        let Some((mut work, future)) = self.set(None) else { return };
        let _entered = self.runtime.enter();
        match work.as_mut().poll(&mut Context::from_waker(&Waker::from(self.clone()))) {
            Poll::Ready(outcome) => complete(future.bind(py), outcome),
            Poll::Pending => drop(self.set(Some((work, future)))),
        }
    }

    fn set(&self, work: Option<(Work, Py<PyAny>)>) -> Option<(Work, Py<PyAny>)> {
        std::mem::replace(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner), work)
    }
}

impl Wake for LoopTask {
    fn wake(self: Arc<Self>) {
        let event_loop = self.event_loop.clone();
        event_loop.run(move |py| self.run(py));
    }
}
