//! The file descriptors that a child must close if it was forked without `exec`.
//!
//! Such a child inherits the locks on directories, and the sockets between the processes that share one. It neither serves nor uses the
//! cache. If it kept these descriptors, no other process could use the directory, or tell when the parent has ended.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

static OPEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Lists a file descriptor until this is dropped, which must happen before the descriptor is closed.
#[derive(Debug)]
pub struct ListedDescriptor(RawFd);

impl ListedDescriptor {
    /// Lists a file descriptor.
    #[must_use]
    pub fn new(file: &impl AsFd) -> Self {
        let descriptor = file.as_fd().as_raw_fd();
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(descriptor);
        Self(descriptor)
    }
}

impl Drop for ListedDescriptor {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// The locks on directories, and the sockets to processes that share one, that this process has open, as file descriptors. A program that
/// forks without `exec` takes this list right before it forks, and closes the listed descriptors in the child.
#[must_use]
pub fn open_descriptors() -> Vec<RawFd> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}
