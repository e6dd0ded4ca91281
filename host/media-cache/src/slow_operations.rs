//! Detects file operations that hang on another thread, for example because a mount does. Nothing can interrupt them.
//!
//! The component goes on meanwhile, but calls that need that operation would wait forever, and the next ones would hang as well. So
//! the watchdog treats it as it treats a driver that hangs: requests are answered without the component.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes for which an operation has as much time as one without any. A body of gigabytes takes its time on any disk.
const BYTES_PER_LIMIT: u64 = 4 << 20;

/// The operations that are under way.
#[derive(Default)]
pub(crate) struct SlowOperations(Mutex<Running>);

#[derive(Default)]
struct Running {
    next: u64,
    /// How many have ended since the last look.
    ended: u64,
    operations: HashMap<u64, Age>,
}

struct Age {
    looks: u64,
    /// How many times the limit it may take.
    limits: u64,
}

/// An operation that is under way until this is dropped.
pub(crate) struct SlowOperation {
    operations: Arc<SlowOperations>,
    number: u64,
}

impl SlowOperations {
    /// An operation on this many bytes begins.
    pub fn begin(self: &Arc<Self>, bytes: u64) -> SlowOperation {
        let mut running = self.lock();
        let number = running.next;
        running.next += 1;
        running.operations.insert(number, Age { looks: 0, limits: 1 + bytes / BYTES_PER_LIMIT });
        SlowOperation { operations: self.clone(), number }
    }

    /// Looks at all of them. Whether one has been under way for longer than it may be: this many looks, or more if it has many bytes. Looks
    /// between which others have ended do not count: then the disk is only slow, or there are too many at once.
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
    fn operation_is_stuck_after_the_number_of_checks_allowed_for_its_bytes() {
        let operations = Arc::<SlowOperations>::default();
        let (small, large) = (operations.begin(0), operations.begin(2 * BYTES_PER_LIMIT));
        let looks = |count: usize| -> Vec<bool> { (0..count).map(|_| operations.look(10)).collect() };
        assert_eq!(looks(12), [vec![false; 10], vec![true; 2]].concat());
        drop(small);
        assert_eq!(looks(20), [vec![false; 19], vec![true; 1]].concat(), "one look had an operation that ended");
        drop(large);
        assert_eq!(looks(1), [false]);
    }

    #[test]
    fn operation_is_not_stuck_while_others_end() {
        let operations = Arc::<SlowOperations>::default();
        let _slow = operations.begin(0);
        for _ in 0..100 {
            drop(operations.begin(0));
            assert!(!operations.look(10));
        }
        assert_eq!((0..11).filter(|_| operations.look(10)).count(), 1);
    }
}
