//! The writes in progress, which cannot be evicted: how much of the budget they take up, and which requests wait for them to end.

use futures::channel::oneshot;

/// The writes in progress.
#[derive(Default)]
pub struct PendingWrites {
    bytes: u64,
    waiting: Vec<oneshot::Sender<()>>,
}

impl PendingWrites {
    /// The total disk size of all writes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts a write of this disk size.
    pub fn begin(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Ends a write of this disk size, and wakes the requests that wait for space.
    pub fn end(&mut self, bytes: u64) {
        self.bytes -= bytes;
        for waiting in self.waiting.drain(..) {
            // A dropped request no longer waits.
            let _ = waiting.send(());
        }
    }

    /// If the writes leave less than `bytes` of the budget, returns a signal for the end of the next one.
    pub fn wait_for_space(&mut self, bytes: u64, budget: u64) -> Option<oneshot::Receiver<()>> {
        if self.bytes.saturating_add(bytes) <= budget {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        Some(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_waits_while_others_take_up_the_budget() {
        let mut writes = PendingWrites::default();
        writes.begin(6);
        assert!(writes.wait_for_space(4, 10).is_none());
        let mut signal = writes.wait_for_space(5, 10).unwrap();
        assert_eq!(signal.try_recv(), Ok(None));
        writes.end(6);
        assert_eq!(signal.try_recv(), Ok(Some(())));
        assert!(writes.wait_for_space(5, 10).is_none());
    }
}
