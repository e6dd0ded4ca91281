//! The connections of attached processes on which no call is in progress. The owner closes them when it needs room for others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The idle connections.
#[derive(Debug, Default)]
pub(crate) struct IdleConnections(Mutex<Listed>);

#[derive(Debug, Default)]
struct Listed {
    /// In the order in which they became idle.
    by_number: BTreeMap<u64, oneshot::Sender<()>>,
    next: u64,
}

/// A connection that is idle until this is dropped.
pub(crate) struct Idle<'a> {
    connections: &'a IdleConnections,
    number: u64,
    closed: oneshot::Receiver<()>,
}

impl IdleConnections {
    /// Lists a connection as idle.
    pub fn list(&self) -> Idle<'_> {
        let (close, closed) = oneshot::channel();
        let mut listed = self.listed();
        let number = listed.next;
        listed.next += 1;
        listed.by_number.insert(number, close);
        Idle { connections: self, number, closed }
    }

    /// Closes the connection that has been idle for the longest. Returns whether there was one.
    pub fn close_oldest(&self) -> bool {
        let oldest = self.listed().by_number.pop_first();
        oldest.is_some_and(|(_, close)| close.send(()).is_ok())
    }

    fn listed(&self) -> std::sync::MutexGuard<'_, Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle<'_> {
    /// Waits until the connection has to be closed.
    pub async fn closed(&mut self) {
        // The sender is not dropped before this.
        let _ = (&mut self.closed).await;
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.connections.listed().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn connection_that_has_been_idle_for_the_longest_is_closed_first() {
        let connections = IdleConnections::default();
        let (used_again, mut second, mut third) = (connections.list(), connections.list(), connections.list());
        drop(used_again);
        assert!(connections.close_oldest());
        assert!(second.closed().now_or_never().is_some() && third.closed().now_or_never().is_none());
        drop(second);
        assert!(connections.close_oldest() && third.closed().now_or_never().is_some());
        assert!(!connections.close_oldest());
    }
}
