//! Failed downloads, remembered for a while, so that an origin in trouble is not asked again for each who wants to know.
//!
//! They are remembered by the URL as it was given, and not by entry: that one signature was refused says nothing of another, and
//! nobody is to be kept from an entry by who asks for it wrongly.

use crate::digest::{Key, KeyMap};

/// How many are remembered at most.
const MOST: usize = 4096;

/// Failures, each until a time in nanoseconds of a clock that only goes forward.
pub struct Failures<E> {
    until: KeyMap<(E, u64)>,
}

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self { until: KeyMap::default() }
    }
}

impl<E: Clone> Failures<E> {
    /// Remembers a failure for so many nanoseconds; 0 for not at all. Where too many are remembered, the one goes whose time is over
    /// soonest.
    pub fn remember(&mut self, key: Key, failure: E, now: u64, time: u64) {
        if time == 0 {
            return;
        }
        if self.until.len() >= MOST {
            self.until.retain(|_, (_, until)| *until > now);
        }
        if self.until.len() >= MOST {
            let soonest = self.until.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| *key);
            soonest.map(|key| self.until.remove(&key));
        }
        self.until.insert(key, (failure, now.saturating_add(time)));
    }

    /// The failure that is remembered for a key, if its time is not over, and how many nanoseconds of that are left.
    pub fn recall(&mut self, key: &Key, now: u64) -> Option<(E, u64)> {
        match self.until.get(key) {
            Some((failure, until)) if *until > now => Some((failure.clone(), *until - now)),
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
        let mut failures = Failures::default();
        let key = Key::of("a");
        failures.remember(key, "gone", 100, 10);
        assert_eq!(failures.recall(&key, 109), Some(("gone", 1)));
        assert_eq!(failures.recall(&Key::of("b"), 100), None);
        assert_eq!(failures.recall(&key, 110), None);
        assert_eq!(failures.recall(&key, 100), None, "it was forgotten when its time was over");
        failures.remember(key, "gone", 100, 10);
        failures.forget(&key);
        assert_eq!(failures.recall(&key, 100), None);
    }

    #[test]
    fn nothing_is_remembered_for_no_time() {
        let mut failures = Failures::default();
        failures.remember(Key::of("a"), "gone", 100, 0);
        assert_eq!(failures.recall(&Key::of("a"), 100), None);
    }

    #[test]
    fn a_flood_of_failures_stays_within_bounds_and_the_latest_is_remembered() {
        let mut failures = Failures::default();
        let key = |i: u64| Key::of(&i.to_string());
        for i in 0..MOST as u64 + 10 {
            failures.remember(key(i), i, 0, 10 + i);
        }
        assert_eq!(failures.until.len(), MOST);
        assert_eq!(failures.recall(&key(9), 0), None, "one of those whose time was over soonest");
        assert_eq!(failures.recall(&key(10), 0), Some((10, 20)));
        failures.remember(Key::of("later"), 1, 1_000_000, 20);
        assert_eq!(failures.until.len(), 1);
    }
}
