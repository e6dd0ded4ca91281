//! Single flight: one piece of work for a key at a time, and everybody who asks meanwhile gets its result.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use futures::channel::oneshot;

/// The pieces of work under way, each with those who wait for it.
pub struct Flights<K, T, S> {
    waiting: RefCell<HashMap<K, Vec<oneshot::Sender<T>>, S>>,
}

/// What somebody who asks is to do.
pub enum Part<'a, K: Hash + Eq + Clone, T, S: BuildHasher> {
    /// Do the work, and tell the others.
    Lead(Lead<'a, K, T, S>),
    /// Wait for whoever does it. An error: it was given up, and somebody else has to do it.
    Follow(oneshot::Receiver<T>),
}

/// The duty to do the work. When it is dropped without a result, those who wait are told that it was given up.
pub struct Lead<'a, K: Hash + Eq + Clone, T, S: BuildHasher> {
    flights: &'a Flights<K, T, S>,
    key: K,
}

impl<K, T, S: Default> Default for Flights<K, T, S> {
    fn default() -> Self {
        Self { waiting: RefCell::default() }
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> Flights<K, T, S> {
    /// Joins the work for `key`, or takes it on.
    pub fn join(&self, key: &K) -> Part<'_, K, T, S> {
        match self.follow(key) {
            Some(result) => Part::Follow(result),
            None => {
                self.waiting.borrow_mut().insert(key.clone(), Vec::new());
                Part::Lead(Lead { flights: self, key: key.clone() })
            }
        }
    }

    /// Joins the work for `key`, if there is any.
    pub fn follow(&self, key: &K) -> Option<oneshot::Receiver<T>> {
        let mut waiting = self.waiting.borrow_mut();
        let followers = waiting.get_mut(key)?;
        let (sender, receiver) = oneshot::channel();
        followers.push(sender);
        Some(receiver)
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> Lead<'_, K, T, S> {
    /// Ends the work. `result` is called once for each who waits.
    pub fn finish(self, mut result: impl FnMut() -> T) {
        let followers = self.flights.waiting.borrow_mut().remove(&self.key).unwrap_or_default();
        for follower in followers {
            // Whoever went away does not want it any more.
            let _ = follower.send(result());
        }
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> Drop for Lead<'_, K, T, S> {
    fn drop(&mut self) {
        let abandoned = self.flights.waiting.borrow_mut().remove(&self.key);
        drop(abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::RandomState;

    type Letters = Flights<&'static str, u32, RandomState>;

    fn lead<'a>(flights: &'a Letters, key: &'static str) -> Lead<'a, &'static str, u32, RandomState> {
        match flights.join(&key) {
            Part::Lead(lead) => lead,
            Part::Follow(_) => panic!("somebody leads already"),
        }
    }

    #[test]
    fn everybody_who_waits_gets_the_result_once() {
        let flights = Letters::default();
        let first = lead(&flights, "a");
        let mut waiting: Vec<_> = (0..3).map(|_| flights.follow(&"a").unwrap()).collect();
        assert!(flights.follow(&"b").is_none());
        let mut results = 0..;
        first.finish(|| results.next().unwrap());
        let got: Vec<_> = waiting.iter_mut().map(|w| w.try_recv().unwrap().unwrap()).collect();
        assert_eq!(got, [0, 1, 2]);
        assert!(flights.follow(&"a").is_none());
    }

    #[test]
    fn work_that_is_given_up_passes_to_somebody_else() {
        let flights = Letters::default();
        let first = lead(&flights, "a");
        let mut waiting = flights.follow(&"a").unwrap();
        drop(first);
        assert!(waiting.try_recv().is_err());
        lead(&flights, "a").finish(|| 1);
    }

    #[test]
    fn a_follower_that_went_away_does_no_harm() {
        let flights = Letters::default();
        let first = lead(&flights, "a");
        drop(flights.follow(&"a").unwrap());
        let mut waiting = flights.follow(&"a").unwrap();
        first.finish(|| 7);
        assert_eq!(waiting.try_recv().unwrap(), Some(7));
    }
}
