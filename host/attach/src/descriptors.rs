//! The sockets that this process has open for attached processes.
//!
//! A child that was forked without `exec` inherits them. It must close them, since it neither serves nor uses the cache: otherwise, other
//! processes could not tell when their parent has ended.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

static OPEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Lists a socket until this is dropped, which must happen before the socket is closed.
#[derive(Debug)]
pub(crate) struct ListedDescriptor(RawFd);

impl ListedDescriptor {
    pub fn new(socket: &impl AsFd) -> Self {
        let descriptor = socket.as_fd().as_raw_fd();
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(descriptor);
        Self(descriptor)
    }
}

impl Drop for ListedDescriptor {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// The sockets that this process has open for attached processes, as file descriptors. A program that forks without `exec` takes this list
/// right before it forks, and closes the listed descriptors in the child.
#[must_use]
pub fn open_descriptors() -> Vec<RawFd> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}
