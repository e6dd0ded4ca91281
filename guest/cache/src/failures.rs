//! Failed downloads, remembered for a short time, so that an origin in trouble is not asked again for each who wants to know.

use crate::key::{Key, KeyMap};

/// How many are remembered at most.
const MOST: usize = 4096;

/// Failures, each until a time in nanoseconds of a clock that only goes forward.
pub struct Failures<E> {
    until: KeyMap<(E, u64)>,
    memory: u64,
}

impl<E: Clone> Failures<E> {
    /// Remembers each failure for `memory` nanoseconds; 0 for not at all.
    #[must_use]
    pub fn new(memory: u64) -> Self {
        Self { until: KeyMap::default(), memory }
    }

    /// Remembers a failure, unless too many are remembered.
    pub fn remember(&mut self, key: Key, failure: E, now: u64) {
        if self.until.len() >= MOST {
            self.until.retain(|_, (_, until)| *until > now);
        }
        if self.memory > 0 && self.until.len() < MOST {
            self.until.insert(key, (failure, now.saturating_add(self.memory)));
        }
    }

    /// The failure that is remembered for a key, if its time is not over.
    pub fn recall(&mut self, key: &Key, now: u64) -> Option<E> {
        match self.until.get(key) {
            Some((failure, until)) if *until > now => Some(failure.clone()),
            Some(_) => {
                self.until.remove(key);
                None
            }
            None => None,
        }
    }

    /// Forgets the failure of a key.
    pub fn forget(&mut self, key: &Key) {
        self.until.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_until_its_time_is_over() {
        let mut failures = Failures::new(10);
        let key = Key::of("a");
        failures.remember(key, "gone", 100);
        assert_eq!(failures.recall(&key, 109), Some("gone"));
        assert_eq!(failures.recall(&Key::of("b"), 100), None);
        assert_eq!(failures.recall(&key, 110), None);
        assert_eq!(failures.recall(&key, 100), None, "it was forgotten when its time was over");
        failures.remember(key, "gone", 100);
        failures.forget(&key);
        assert_eq!(failures.recall(&key, 100), None);
    }

    #[test]
    fn nothing_is_remembered_for_no_time() {
        let mut failures = Failures::new(0);
        failures.remember(Key::of("a"), "gone", 100);
        assert_eq!(failures.recall(&Key::of("a"), 100), None);
    }

    #[test]
    fn a_flood_of_failures_stays_within_bounds() {
        let mut failures = Failures::new(10);
        for i in 0..MOST as u64 + 10 {
            failures.remember(Key::of(&i.to_string()), i, 0);
        }
        assert_eq!(failures.until.len(), MOST);
        failures.remember(Key::of("later"), 1, 20);
        assert_eq!(failures.until.len(), 1);
    }
}
