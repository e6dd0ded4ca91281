//! Idle connections, in the order in which they became idle. This list is independent of sockets.

use std::collections::VecDeque;
use std::time::Instant;

/// A list of idle connections `C`, each with a key `K` that identifies where it leads.
pub(crate) struct IdleList<K, C>(VecDeque<Idle<K, C>>);

struct Idle<K, C> {
    key: K,
    connection: C,
    expires: Instant,
}

impl<K, C> Default for IdleList<K, C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: PartialEq, C> IdleList<K, C> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a connection that is kept until `expires`.
    pub(crate) fn add(&mut self, key: K, connection: C, expires: Instant) {
        self.0.push_back(Idle { key, connection, expires });
    }

    /// Removes and returns the connection with this key that became idle last, unless it has expired.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> Option<C> {
        self.remove_expired(now);
        let index = self.0.iter().rposition(|idle| idle.key == *key)?;
        self.0.remove(index).map(|idle| idle.connection)
    }

    /// Removes connections for which `counts` returns `true`, beginning with those that have been idle longest, until at most `max` of
    /// these remain.
    pub(crate) fn trim(&mut self, max: usize, counts: impl Fn(&K) -> bool) {
        let mut surplus = self.0.iter().filter(|idle| counts(&idle.key)).count().saturating_sub(max);
        self.0.retain(|idle| {
            let is_surplus = surplus > 0 && counts(&idle.key);
            surplus -= usize::from(is_surplus);
            !is_surplus
        });
    }

    /// Removes expired connections. Returns when the next one expires.
    pub(crate) fn remove_expired(&mut self, now: Instant) -> Option<Instant> {
        self.0.retain(|idle| now < idle.expires);
        self.0.iter().map(|idle| idle.expires).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Connections 0, 1, 2, … with these keys, which expire after 1, 2, 3, … seconds.
    fn list(keys: &[char], start: Instant) -> IdleList<char, u32> {
        let mut list = IdleList::default();
        for (&key, number) in keys.iter().zip(0..) {
            list.add(key, number, start + SECOND * (number + 1));
        }
        list
    }

    fn numbers(list: &IdleList<char, u32>) -> Vec<u32> {
        list.0.iter().map(|idle| idle.connection).collect()
    }

    #[test]
    fn latest_connection_with_the_same_key_is_taken() {
        let now = Instant::now();
        let mut list = list(&['a', 'b', 'a', 'b'], now);
        assert_eq!([list.take(&'a', now), list.take(&'a', now), list.take(&'a', now)], [Some(2), Some(0), None]);
        assert_eq!(list.take(&'c', now), None);
        assert_eq!(numbers(&list), [1, 3]);
    }

    #[test]
    fn expired_connection_is_not_taken() {
        let now = Instant::now();
        let mut list = list(&['a'], now);
        assert_eq!(list.take(&'a', now + SECOND), None);
        assert_eq!(list.len(), 0);
    }

    #[test]
    fn oldest_connections_are_trimmed() {
        let now = Instant::now();
        let mut list = list(&['a', 'b', 'a', 'b', 'a'], now);
        list.trim(2, |&key| key == 'a');
        assert_eq!(numbers(&list), [1, 2, 3, 4]);
        list.trim(1, |_| true);
        assert_eq!(numbers(&list), [4]);
    }

    #[test]
    fn connections_expire_at_their_time() {
        let now = Instant::now();
        let mut list = list(&['a', 'b'], now);
        list.add('a', 2, now + SECOND);
        list.add('b', 3, now + 3 * SECOND);
        assert_eq!(list.remove_expired(now), Some(now + SECOND));
        assert_eq!(list.remove_expired(now + SECOND), Some(now + 2 * SECOND));
        assert_eq!(numbers(&list), [1, 3]);
        assert_eq!(list.take(&'b', now + 2 * SECOND), Some(3));
        assert_eq!(list.remove_expired(now + 2 * SECOND), None);
        assert_eq!(list.len(), 0);
    }
}
