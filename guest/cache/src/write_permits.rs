//! Permits to change the directory. On standby, none are granted, and standby begins once all granted permits have been returned.

use std::cell::{Cell, RefCell};

use futures::channel::oneshot;

/// The permits of a cache.
#[derive(Default)]
pub struct WritePermits {
    refused: Cell<bool>,
    held: Cell<u32>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

/// A permit to change the directory, until it is dropped.
pub struct WritePermit<'a>(&'a WritePermits);

impl WritePermits {
    /// Returns a permit, unless permits are refused.
    pub fn acquire(&self) -> Option<WritePermit<'_>> {
        if self.refused.get() {
            return None;
        }
        self.held.set(self.held.get() + 1);
        Some(WritePermit(self))
    }

    /// Whether permits are refused.
    pub fn are_refused(&self) -> bool {
        self.refused.get()
    }

    /// Refuses permits from now on, and waits until all of them have been returned.
    pub async fn refuse(&self) {
        self.refused.set(true);
        while self.held.get() > 0 {
            let (sender, receiver) = oneshot::channel();
            self.waiting.borrow_mut().push(sender);
            let _ = receiver.await;
        }
    }

    /// Grants permits again.
    pub fn allow(&self) {
        self.refused.set(false);
    }
}

impl Drop for WritePermit<'_> {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get() - 1);
        if self.0.held.get() == 0 {
            for waiting in self.0.waiting.borrow_mut().drain(..) {
                // A dropped request no longer waits.
                let _ = waiting.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn refuse_denies_new_permits_immediately_and_waits_for_the_acquired_ones() {
        let permits = WritePermits::default();
        let (first, second) = (permits.acquire().unwrap(), permits.acquire().unwrap());
        let mut refusing = Box::pin(permits.refuse());
        assert_eq!(refusing.as_mut().now_or_never(), None);
        assert!(permits.are_refused() && permits.acquire().is_none());
        drop(first);
        assert_eq!(refusing.as_mut().now_or_never(), None);
        drop(second);
        assert_eq!(refusing.now_or_never(), Some(()));
        permits.allow();
        assert!(!permits.are_refused() && permits.acquire().is_some());
    }
}
