//! Remembers failed fetches for a while, so that an origin in trouble is not contacted for every request.
//!
//! Failures are remembered by the URL as given, not by entry: the rejection of one signature says nothing about another, and a client
//! cannot block others from an entry by requesting it with an incorrect URL.

use media_cache_entry_files::{DigestMap, KeyDigest};

/// The maximum number of remembered failures.
const LIMIT: usize = 4096;

/// Failures, each with its expiry in nanoseconds of a monotonic clock.
pub struct FailureMemory<E> {
    until: DigestMap<(E, u64)>,
}

impl<E> Default for FailureMemory<E> {
    fn default() -> Self {
        Self { until: DigestMap::default() }
    }
}

impl<E: Clone> FailureMemory<E> {
    /// Remembers a failure for `ttl` nanoseconds; 0 means not at all. Beyond the limit, the failure that expires soonest is forgotten.
    pub fn remember(&mut self, url: KeyDigest, failure: E, now: u64, ttl: u64) {
        if ttl == 0 {
            return;
        }
        if self.until.len() >= LIMIT {
            self.until.retain(|_, (_, until)| *until > now);
        }
        if self.until.len() >= LIMIT {
            let soonest = self.until.iter().min_by_key(|(_, (_, until))| *until).map(|(url, _)| *url);
            soonest.map(|url| self.until.remove(&url));
        }
        self.until.insert(url, (failure, now.saturating_add(ttl)));
    }

    /// The failure that is remembered for a URL, and the nanoseconds until it expires.
    pub fn recall(&mut self, url: &KeyDigest, now: u64) -> Option<(E, u64)> {
        match self.until.get(url) {
            Some((failure, until)) if *until > now => Some((failure.clone(), *until - now)),
            Some(_) => {
                self.until.remove(url);
                None
            }
            None => None,
        }
    }

    /// Forgets the failure of a URL.
    pub fn forget(&mut self, url: &KeyDigest) {
        self.until.remove(url);
    }

    /// Forgets every failure.
    pub fn clear(&mut self) {
        self.until.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_until_it_expires() {
        let mut failures = FailureMemory::default();
        let url = KeyDigest::of("a");
        failures.remember(url, "gone", 100, 10);
        assert_eq!(failures.recall(&url, 109), Some(("gone", 1)));
        assert_eq!(failures.recall(&KeyDigest::of("b"), 100), None);
        assert_eq!(failures.recall(&url, 110), None);
        assert_eq!(failures.recall(&url, 100), None, "it was forgotten when it expired");
    }

    #[test]
    fn failures_are_forgotten_one_by_one_or_all_at_once() {
        let mut failures = FailureMemory::default();
        let urls = ["a", "b", "c"].map(KeyDigest::of);
        urls.iter().for_each(|url| failures.remember(*url, "gone", 100, 10));
        failures.forget(&urls[0]);
        assert_eq!(urls.map(|url| failures.recall(&url, 100).is_some()), [false, true, true]);
        failures.clear();
        assert_eq!(urls.map(|url| failures.recall(&url, 100)), [None; 3]);
    }

    #[test]
    fn a_failure_with_no_time_to_live_is_not_remembered() {
        let mut failures = FailureMemory::default();
        failures.remember(KeyDigest::of("a"), "gone", 100, 0);
        assert_eq!(failures.recall(&KeyDigest::of("a"), 100), None);
    }

    #[test]
    fn beyond_the_limit_the_failures_that_expire_soonest_are_forgotten() {
        let mut failures = FailureMemory::default();
        let url = |i: u64| KeyDigest::of(&i.to_string());
        for i in 0..LIMIT as u64 + 10 {
            failures.remember(url(i), i, 0, 10 + i);
        }
        assert_eq!(failures.until.len(), LIMIT);
        assert_eq!(failures.recall(&url(9), 0), None, "it was one of the failures that expire soonest");
        assert_eq!(failures.recall(&url(10), 0), Some((10, 20)));
        failures.remember(KeyDigest::of("later"), 1, 1_000_000, 20);
        assert_eq!(failures.until.len(), 1);
    }
}
