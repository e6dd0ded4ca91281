//! Detects file operations on other threads that hang, for example because a mount hangs. They cannot be interrupted.
//!
//! The component continues to run, but calls that need such an operation would wait forever, and further calls would hang too. The watchdog
//! therefore treats this like a hanging driver: requests are answered without the component.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An operation gets one additional time limit for each multiple of this size, since a body of several gigabytes takes a while on any disk.
const BYTES_PER_LIMIT: u64 = 4 << 20;

/// The operations in progress.
#[derive(Default)]
pub(crate) struct SlowOperations(Mutex<Running>);

#[derive(Default)]
struct Running {
    next: u64,
    /// The number of operations that have ended since the last check.
    ended: u64,
    operations: HashMap<u64, Age>,
}

struct Age {
    looks: u64,
    /// The number of time limits that the operation may take.
    limits: u64,
}

/// An operation that is in progress until this is dropped.
pub(crate) struct SlowOperation {
    operations: Arc<SlowOperations>,
    number: u64,
}

impl SlowOperations {
    /// Begins an operation on this many bytes.
    pub fn begin(self: &Arc<Self>, bytes: u64) -> SlowOperation {
        let mut running = self.lock();
        let number = running.next;
        running.next += 1;
        running.operations.insert(number, Age { looks: 0, limits: 1 + bytes / BYTES_PER_LIMIT });
        SlowOperation { operations: self.clone(), number }
    }

    /// Checks all operations. Returns whether one has been in progress for too long: for more than `limit` checks, or a multiple of that if
    /// it has many bytes. A check does not count if other operations have ended since the previous check, because then the disk is only
    /// slow, or there are too many operations at the same time.
    pub fn look(&self, limit: u32) -> bool {
        let mut is_stuck = false;
        let running = &mut *self.lock();
        let waited = u64::from(std::mem::take(&mut running.ended) == 0);
        for age in running.operations.values_mut() {
            age.looks += waited;
            is_stuck |= age.looks > age.limits.saturating_mul(limit.into());
        }
        is_stuck
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SlowOperation {
    fn drop(&mut self) {
        let running = &mut *self.operations.lock();
        running.operations.remove(&self.number);
        running.ended += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_counts_as_stuck_after_the_checks_allowed_for_its_size() {
        let operations = Arc::<SlowOperations>::default();
        let (small, large) = (operations.begin(0), operations.begin(2 * BYTES_PER_LIMIT));
        let looks = |count: usize| -> Vec<bool> { (0..count).map(|_| operations.look(10)).collect() };
        assert_eq!(looks(12), [vec![false; 10], vec![true; 2]].concat());
        drop(small);
        assert_eq!(looks(20), [vec![false; 19], vec![true; 1]].concat(), "an operation ended before one of the checks");
        drop(large);
        assert_eq!(looks(1), [false]);
    }

    #[test]
    fn operation_does_not_count_as_stuck_while_others_end() {
        let operations = Arc::<SlowOperations>::default();
        let _slow = operations.begin(0);
        for _ in 0..100 {
            drop(operations.begin(0));
            assert!(!operations.look(10));
        }
        assert_eq!((0..11).filter(|_| operations.look(10)).count(), 1);
    }
}
