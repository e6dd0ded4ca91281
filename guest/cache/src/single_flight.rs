//! Single flight: concurrent requests for a key are coalesced into one piece of work, whose result reaches all of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;

use futures::channel::oneshot;

/// The work in progress, by key.
type Works<K, T, S> = RefCell<HashMap<K, Work<T>, S>>;

/// Work in progress.
struct Work<T> {
    /// Callers that wait for the result.
    followers: Vec<oneshot::Sender<T>>,
    /// Callers that wait only for the end. Nothing is ever sent to them.
    watchers: Vec<oneshot::Sender<()>>,
}

/// The work in progress, by key, with the followers that wait for it.
pub struct SingleFlight<K, T, S> {
    works: Rc<Works<K, T, S>>,
}

/// The role of a caller.
pub enum Role<K: Hash + Eq + Clone, T, S: BuildHasher> {
    /// The caller does the work and passes the result on.
    Leader(Leader<K, T, S>),
    /// The caller waits for the leader. An error means that the leader stopped without a result, so another caller has to lead.
    Follower(oneshot::Receiver<T>),
}

/// The leader role. If it is dropped without a result, each of its followers receives an error.
pub struct Leader<K: Hash + Eq + Clone, T, S: BuildHasher> {
    works: Rc<Works<K, T, S>>,
    key: K,
}

impl<T> Default for Work<T> {
    fn default() -> Self {
        Self { followers: Vec::new(), watchers: Vec::new() }
    }
}

impl<K, T, S: Default> Default for SingleFlight<K, T, S> {
    fn default() -> Self {
        Self { works: Rc::default() }
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> SingleFlight<K, T, S> {
    /// Follows the work for `key`, or leads it if there is none.
    pub fn join(&self, key: &K) -> Role<K, T, S> {
        match self.follow(key) {
            Some(result) => Role::Follower(result),
            None => Role::Leader(self.begin(key)),
        }
    }

    /// Leads the work for `key`. If the work is already in progress, the error is a signal for its [end](Self::watch).
    ///
    /// # Errors
    /// Fails if another caller leads.
    pub fn lead(&self, key: &K) -> Result<Leader<K, T, S>, oneshot::Receiver<()>> {
        match self.watch(key) {
            Some(end) => Err(end),
            None => Ok(self.begin(key)),
        }
    }

    fn begin(&self, key: &K) -> Leader<K, T, S> {
        self.works.borrow_mut().insert(key.clone(), Work::default());
        Leader { works: Rc::clone(&self.works), key: key.clone() }
    }

    /// Returns a signal for the end of the work for `key`, if there is any. A caller that waits for the signal is not a follower, and is
    /// not counted as [waiting](Self::waiting).
    pub fn watch(&self, key: &K) -> Option<oneshot::Receiver<()>> {
        let mut works = self.works.borrow_mut();
        let work = works.get_mut(key)?;
        let (sender, receiver) = oneshot::channel();
        work.watchers.push(sender);
        Some(receiver)
    }

    /// Follows the work for `key`, if there is any.
    pub fn follow(&self, key: &K) -> Option<oneshot::Receiver<T>> {
        let mut works = self.works.borrow_mut();
        let work = works.get_mut(key)?;
        let (sender, receiver) = oneshot::channel();
        work.followers.push(sender);
        Some(receiver)
    }

    /// Whether there is work for `key`.
    pub fn is_led(&self, key: &K) -> bool {
        self.works.borrow().contains_key(key)
    }

    /// The number of followers that wait for the work for `key`.
    pub fn waiting(&self, key: &K) -> usize {
        let works = self.works.borrow();
        works.get(key).map_or(0, |work| work.followers.iter().filter(|follower| !follower.is_canceled()).count())
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> Leader<K, T, S> {
    /// Returns a signal of the [end](SingleFlight::watch) of the work.
    pub fn watch(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if let Some(work) = self.works.borrow_mut().get_mut(&self.key) {
            work.watchers.push(sender);
        }
        receiver
    }

    /// Passes a result to the current followers and continues to lead. `result` is called once for each of them.
    pub fn announce(&self, mut result: impl FnMut() -> T) {
        let followers = self.works.borrow_mut().get_mut(&self.key).map(|work| std::mem::take(&mut work.followers));
        for follower in followers.unwrap_or_default() {
            let _ = follower.send(result());
        }
    }

    /// Ends the work. `result` is called once for each follower.
    pub fn finish(self, mut result: impl FnMut() -> T) {
        let work = self.works.borrow_mut().remove(&self.key).unwrap_or_default();
        for follower in work.followers {
            // A follower that was dropped does not need the result.
            let _ = follower.send(result());
        }
    }
}

impl<K: Hash + Eq + Clone, T, S: BuildHasher> Drop for Leader<K, T, S> {
    fn drop(&mut self) {
        let abandoned = self.works.borrow_mut().remove(&self.key);
        drop(abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::RandomState;

    type Letters = SingleFlight<&'static str, u32, RandomState>;

    fn lead(flight: &Letters, key: &'static str) -> Leader<&'static str, u32, RandomState> {
        match flight.join(&key) {
            Role::Leader(leader) => leader,
            Role::Follower(_) => panic!("there is already a leader"),
        }
    }

    #[test]
    fn each_follower_gets_the_result_once() {
        let flight = Letters::default();
        let leader = lead(&flight, "a");
        let mut followers: Vec<_> = (0..3).map(|_| flight.follow(&"a").unwrap()).collect();
        assert!(flight.follow(&"b").is_none());
        let mut results = 0..;
        leader.finish(|| results.next().unwrap());
        let got: Vec<_> = followers.iter_mut().map(|w| w.try_recv().unwrap().unwrap()).collect();
        assert_eq!(got, [0, 1, 2]);
        assert!(flight.follow(&"a").is_none());
    }

    #[test]
    fn a_leader_that_announces_a_result_remains_the_leader() {
        let flight = Letters::default();
        let leader = lead(&flight, "a");
        let mut early = flight.follow(&"a").unwrap();
        leader.announce(|| 1);
        assert_eq!(early.try_recv().unwrap(), Some(1));
        let mut late = flight.follow(&"a").unwrap();
        assert_eq!(late.try_recv(), Ok(None));
        leader.finish(|| 2);
        assert_eq!(late.try_recv().unwrap(), Some(2));
    }

    #[test]
    fn watcher_waits_for_the_end_of_the_work_and_is_not_counted() {
        let flight = Letters::default();
        for finishes in [true, false] {
            let leader = flight.lead(&"a").unwrap_or_else(|_| panic!("there is a leader already"));
            let mut signals = [flight.watch(&"a").unwrap(), flight.lead(&"a").err().unwrap(), leader.watch()];
            leader.announce(|| 1);
            assert!(signals.iter_mut().all(|signal| signal.try_recv() == Ok(None)));
            assert_eq!(flight.waiting(&"a"), 0);
            if finishes {
                leader.finish(|| 2)
            } else {
                drop(leader)
            }
            assert!(signals.iter_mut().all(|signal| signal.try_recv().is_err()), "it has ended");
            assert!(flight.watch(&"a").is_none());
        }
    }

    #[test]
    fn follower_can_lead_after_its_leader_stops_without_a_result() {
        let flight = Letters::default();
        let leader = lead(&flight, "a");
        let mut follower = flight.follow(&"a").unwrap();
        drop(leader);
        assert!(follower.try_recv().is_err());
        lead(&flight, "a").finish(|| 1);
    }

    #[test]
    fn dropped_follower_does_not_affect_other_followers() {
        let flight = Letters::default();
        let leader = lead(&flight, "a");
        drop(flight.follow(&"a").unwrap());
        let mut follower = flight.follow(&"a").unwrap();
        leader.finish(|| 7);
        assert_eq!(follower.try_recv().unwrap(), Some(7));
    }

    #[test]
    fn only_followers_that_are_still_waiting_are_counted() {
        let flight = Letters::default();
        assert_eq!(flight.waiting(&"a"), 0);
        let leader = lead(&flight, "a");
        assert_eq!(flight.waiting(&"a"), 0);
        let followers = [flight.follow(&"a"), flight.follow(&"a")];
        drop(flight.follow(&"a"));
        assert_eq!(flight.waiting(&"a"), 2);
        leader.finish(|| 1);
        assert_eq!((flight.waiting(&"a"), followers.len()), (0, 2));
    }
}
