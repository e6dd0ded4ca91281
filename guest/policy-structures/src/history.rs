//! Entries and ghosts with their history, in many queues.
//!
//! An entry that is evicted becomes a ghost: it keeps its value, but is found by its fingerprint instead of its id. Entries and ghosts are in
//! one array, so that a policy can sample both. The queues of entries are numbered; only those in use take up memory. Ghosts are in a queue
//! of their own, in the order of eviction.
//!
//! Ghosts are found by linear hashing (Litwin, VLDB 1980): whenever there are more ghosts than buckets, one bucket is split. Unlike a hash
//! table that doubles, no call ever moves more than one bucket. Every operation takes constant time.

use crate::chunks::Chunks;
use crate::fingerprints::spread;
use crate::slab::{EntryId, MAX_ENTRIES};
use crate::sparse::Sparse;

const NONE: u32 = u32::MAX;

/// Entries and ghosts, each with a value `T` of the policy. A position identifies an entry or ghost until it is forgotten.
pub struct History<T> {
    slots: Chunks<Slot<T>>,
    /// The positions of entries by id.
    ids: Sparse<u32>,
    queues: Sparse<Queue>,
    /// The numbers of the queues that are not empty.
    live: Vec<u16>,
    ghost_queue: Queue,
    /// The first ghost in each bucket.
    buckets: Chunks<u32>,
    /// The first unused slot.
    unused: u32,
    entries: usize,
    ghosts: usize,
}

#[derive(Clone, Copy)]
struct Slot<T> {
    value: T,
    fingerprint: u64,
    older: u32,
    newer: u32,
    /// The id of an entry; the next ghost in the same bucket; the next unused slot.
    link: u32,
    /// The number of the entry's queue, or of the queue in which the ghost was.
    queue: u16,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unused,
    Entry,
    Ghost,
}

#[derive(Clone, Copy)]
struct Queue {
    oldest: u32,
    newest: u32,
    /// The position in the list of queues that are not empty.
    live: u32,
}

const EMPTY: Queue = Queue { oldest: NONE, newest: NONE, live: NONE };

impl<T> Default for History<T> {
    fn default() -> Self {
        Self {
            slots: Chunks::default(),
            ids: Sparse::new(NONE),
            queues: Sparse::new(EMPTY),
            live: Vec::new(),
            ghost_queue: EMPTY,
            buckets: Chunks::default(),
            unused: NONE,
            entries: 0,
            ghosts: 0,
        }
    }
}

impl<T: Copy> History<T> {
    /// The number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// The number of ghosts.
    #[must_use]
    pub fn ghosts(&self) -> usize {
        self.ghosts
    }

    /// The numbers of the queues that are not empty, in any order.
    #[must_use]
    pub fn queues(&self) -> &[u16] {
        &self.live
    }

    /// The position of an entry.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> Option<usize> {
        self.ids.get(id as usize).filter(|at| **at != NONE).map(|at| *at as usize)
    }

    /// The position of a ghost.
    #[must_use]
    pub fn ghost(&self, fingerprint: u64) -> Option<usize> {
        let mut at = *self.buckets.get(self.bucket(fingerprint))?;
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.fingerprint == fingerprint {
                return Some(at as usize);
            }
            at = slot.link;
        }
        None
    }

    /// The entry that was added to a queue first.
    #[must_use]
    pub fn oldest(&self, queue: u16) -> Option<usize> {
        self.queues.get(queue.into()).filter(|queue| queue.oldest != NONE).map(|queue| queue.oldest as usize)
    }

    /// An entry or ghost at a position that depends on `random`, or `None` if that position is not in use.
    #[must_use]
    pub fn sample(&self, random: u32) -> Option<usize> {
        let at = ((u64::from(random) * self.slots.len() as u64) >> 32) as usize;
        (self.slots.get(at)?.state != State::Unused).then_some(at)
    }

    /// The value at a position, and the number of its queue.
    #[must_use]
    pub fn get(&self, at: usize) -> (&T, u16) {
        let slot = &self.slots[at];
        (&slot.value, slot.queue)
    }

    /// Adds an entry that is not tracked and has no ghost as the newest of a queue. Ids of [`MAX_ENTRIES`] or more are ignored.
    pub fn insert(&mut self, id: EntryId, fingerprint: u64, queue: u16, value: T) {
        if id >= MAX_ENTRIES {
            return;
        }
        let slot = Slot { value, fingerprint, older: NONE, newer: NONE, link: id as u32, queue, state: State::Entry };
        let at = self.unused;
        if let Some(unused) = self.slots.get_mut(at as usize) {
            self.unused = unused.link;
            *unused = slot;
            self.enter(at, id);
        } else {
            self.slots.push(slot);
            self.enter(self.slots.len() as u32 - 1, id);
        }
    }

    /// Makes an entry the newest of a queue, with a new value.
    pub fn renew(&mut self, at: usize, queue: u16, value: T) {
        self.unlink(at as u32);
        (self.slots[at].value, self.slots[at].queue) = (value, queue);
        self.link(at as u32);
    }

    /// Turns a ghost into an entry that is the newest of a queue, with a new value. Ids of [`MAX_ENTRIES`] or more are ignored.
    pub fn revive(&mut self, at: usize, id: EntryId, queue: u16, value: T) {
        if id < MAX_ENTRIES {
            self.unlink(at as u32);
            self.leave_bucket(at as u32);
            let slot = &mut self.slots[at];
            (slot.value, slot.queue, slot.state, slot.link) = (value, queue, State::Entry, id as u32);
            self.enter(at as u32, id);
        }
    }

    /// Turns an entry into the newest ghost, and returns its id. An older ghost with the same fingerprint is forgotten.
    pub fn evict(&mut self, at: usize) -> EntryId {
        let (id, fingerprint) = (self.slots[at].link, self.slots[at].fingerprint);
        if let Some(older) = self.ghost(fingerprint) {
            self.forget_ghost(older as u32);
        }
        self.unlink(at as u32);
        *self.ids.at(id as usize) = NONE;
        self.slots[at].state = State::Ghost;
        self.entries -= 1;
        self.ghosts += 1;
        self.link(at as u32);
        self.split_bucket();
        let bucket = self.bucket(fingerprint);
        self.slots[at].link = self.buckets[bucket];
        self.buckets[bucket] = at as u32;
        id.into()
    }

    /// Forgets the oldest ghosts until no more than `limit` are left.
    pub fn limit_ghosts(&mut self, limit: usize) {
        while self.ghosts > limit {
            self.forget_ghost(self.ghost_queue.oldest);
        }
    }

    fn enter(&mut self, at: u32, id: EntryId) {
        *self.ids.at(id as usize) = at;
        self.entries += 1;
        self.link(at);
    }

    fn forget_ghost(&mut self, at: u32) {
        self.unlink(at);
        self.leave_bucket(at);
        let slot = &mut self.slots[at as usize];
        (slot.state, slot.link) = (State::Unused, self.unused);
        self.unused = at;
    }

    /// Takes a ghost out of its bucket.
    fn leave_bucket(&mut self, at: u32) {
        self.ghosts -= 1;
        let next = self.slots[at as usize].link;
        let bucket = self.bucket(self.slots[at as usize].fingerprint);
        let mut before = self.buckets[bucket];
        if before == at {
            self.buckets[bucket] = next;
            return;
        }
        while self.slots[before as usize].link != at {
            before = self.slots[before as usize].link;
        }
        self.slots[before as usize].link = next;
    }

    /// The bucket of a fingerprint. If the last bits of its hash exceed the number of buckets, the bucket with one bit less is not split yet.
    fn bucket(&self, fingerprint: u64) -> usize {
        let mask = self.buckets.len().next_power_of_two() - 1;
        let bucket = spread(fingerprint) as usize & mask;
        if bucket < self.buckets.len() { bucket } else { bucket & (mask >> 1) }
    }

    /// Splits a bucket if there are more ghosts than buckets.
    fn split_bucket(&mut self) {
        let added = self.buckets.len();
        if self.ghosts <= added {
            return;
        }
        self.buckets.push(NONE);
        let split = added ^ ((added + 1).next_power_of_two() >> 1);
        let mut at = if added == 0 { NONE } else { std::mem::replace(&mut self.buckets[split], NONE) };
        while at != NONE {
            let bucket = self.bucket(self.slots[at as usize].fingerprint);
            let next = std::mem::replace(&mut self.slots[at as usize].link, self.buckets[bucket]);
            self.buckets[bucket] = at;
            at = next;
        }
    }

    /// The queue of an entry or ghost.
    fn queue(&mut self, at: u32) -> &mut Queue {
        let slot = &self.slots[at as usize];
        if slot.state == State::Ghost { &mut self.ghost_queue } else { self.queues.at(slot.queue.into()) }
    }

    fn link(&mut self, at: u32) {
        let queue = self.queue(at);
        let newest = std::mem::replace(&mut queue.newest, at);
        if newest == NONE {
            queue.oldest = at;
        }
        let slot = &mut self.slots[at as usize];
        (slot.older, slot.newer) = (newest, NONE);
        let (is_entry, number) = (slot.state == State::Entry, slot.queue);
        if let Some(older) = self.slots.get_mut(newest as usize) {
            older.newer = at;
        } else if is_entry {
            self.queues.at(number.into()).live = self.live.len() as u32;
            self.live.push(number);
        }
    }

    fn unlink(&mut self, at: u32) {
        let slot = &self.slots[at as usize];
        let (older, newer, is_entry, number) = (slot.older, slot.newer, slot.state == State::Entry, slot.queue);
        if let Some(slot) = self.slots.get_mut(older as usize) {
            slot.newer = newer;
        } else {
            self.queue(at).oldest = newer;
        }
        if let Some(slot) = self.slots.get_mut(newer as usize) {
            slot.older = older;
        } else {
            self.queue(at).newest = older;
        }
        if is_entry && older == NONE && newer == NONE {
            let live = std::mem::replace(&mut self.queues.at(number.into()).live, NONE);
            self.live.swap_remove(live as usize);
            if let Some(moved) = self.live.get(live as usize) {
                self.queues.at((*moved).into()).live = live;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::*;

    /// The ids in a queue, oldest first.
    fn order(history: &History<char>, queue: u16) -> Vec<u32> {
        let next = |at: &usize| Some(history.slots[*at].newer as usize).filter(|at| *at != NONE as usize);
        std::iter::successors(history.oldest(queue), next).map(|at| history.slots[at].link).collect()
    }

    #[test]
    fn entries_are_in_the_order_of_their_latest_renewal() {
        let mut history = History::default();
        (0..4).for_each(|id| history.insert(id, 100 + id, 7, 'a'));
        let at = history.entry(1).unwrap();
        history.renew(at, 7, 'b');
        history.renew(history.entry(2).unwrap(), 9000, 'c');
        assert_eq!((order(&history, 7), order(&history, 9000), order(&history, 8)), (vec![0, 3, 1], vec![2], vec![]));
        assert_eq!((history.queues(), history.get(at)), (&[7, 9000][..], (&'b', 7)));
        for id in [0, 1, 3] {
            history.evict(history.entry(id).unwrap());
        }
        assert_eq!((history.queues(), history.entries(), history.ghosts(), history.oldest(7)), (&[9000][..], 1, 3, None));
    }

    #[test]
    fn an_evicted_entry_is_found_by_its_fingerprint_until_it_is_revived_or_forgotten() {
        let mut history = History::default();
        (0..3).for_each(|id| history.insert(id, 100 + id, 1, 'a'));
        (0..3).for_each(|id| assert_eq!(history.evict(history.entry(id).unwrap()), id));
        assert_eq!((history.entry(1), history.ghost(1)), (None, None));
        let at = history.ghost(101).unwrap();
        assert_eq!(history.get(at), (&'a', 1));
        history.revive(at, 40, 2, 'b');
        assert_eq!((history.entry(40), history.ghost(101), order(&history, 2)), (Some(at), None, vec![40]));
        history.limit_ghosts(1);
        assert_eq!((history.ghost(100), history.ghost(102).is_some(), history.ghosts()), (None, true, 1));
    }

    #[test]
    fn there_is_one_ghost_per_fingerprint_and_unused_positions_are_reused() {
        let mut history = History::default();
        for round in 0..100 {
            history.insert(round, 5, 1, 'a');
            history.evict(history.entry(round).unwrap());
            assert_eq!(history.ghosts(), 1);
        }
        assert_eq!(history.slots.len(), 2);
    }

    #[test]
    fn samples_cover_every_entry_and_ghost_and_nothing_else() {
        let mut history = History::default();
        (0..10).for_each(|id| history.insert(id, id, 1, 'a'));
        for id in 0..6 {
            history.evict(history.entry(id).unwrap());
        }
        history.limit_ghosts(4);
        let sampled: std::collections::BTreeSet<_> = (0..1000).filter_map(|n| history.sample(n * 4_294_967)).collect();
        assert_eq!(sampled.len(), 8);
        assert_eq!((history.sample(0), history.sample(u32::MAX), History::<char>::default().sample(1)), (None, Some(9), None));
    }

    #[test]
    fn history_ignores_an_id_beyond_the_maximum() {
        let mut history = History::default();
        for id in [MAX_ENTRIES, 1 << 32, u64::MAX] {
            history.insert(id, 1, 1, 'a');
            assert_eq!((history.entry(id), history.entries(), history.slots.len()), (None, 0, 0));
        }
        history.insert(0, 1, 1, 'a');
        history.evict(0);
        history.revive(0, MAX_ENTRIES, 1, 'b');
        assert_eq!((history.entries(), history.ghosts()), (0, 1));
    }

    #[test]
    fn history_agrees_with_maps_and_lists_over_many_operations() {
        let mut history = History::default();
        let (mut queues, mut ghosts) = (BTreeMap::<u16, VecDeque<u64>>::new(), VecDeque::new());
        for step in 0..24_000u64 {
            let random = spread(step);
            // The number of ghosts rises and falls, beyond several powers of two.
            let limit = if step / 6_000 % 2 == 0 { 3000 } else { 50 };
            let (id, queue) = ((random >> 8) % 2000, (random >> 32) as u16 % 300);
            if let Some(at) = history.entry(id) {
                queues.values_mut().for_each(|queue| queue.retain(|other| *other != id));
                if random.is_multiple_of(2) {
                    history.evict(at);
                    ghosts.push_back(id);
                } else {
                    history.renew(at, queue, 'b');
                    queues.entry(queue).or_default().push_back(id);
                }
            } else {
                match history.ghost(id) {
                    Some(at) => history.revive(at, id, queue, 'c'),
                    None => history.insert(id, id, queue, 'a'),
                }
                ghosts.retain(|ghost| *ghost != id);
                queues.entry(queue).or_default().push_back(id);
            }
            history.limit_ghosts(limit);
            ghosts.drain(..ghosts.len().saturating_sub(limit));
            assert_eq!(history.ghosts(), ghosts.len());
            if step % 500 == 0 {
                queues.retain(|_, queue| !queue.is_empty());
                let mut live = history.queues().to_vec();
                live.sort_unstable();
                assert!(live.iter().eq(queues.keys()), "{step}");
                for (number, queue) in &queues {
                    assert!(order(&history, *number).into_iter().map(u64::from).eq(queue.iter().copied()), "{step}");
                }
                assert!((0..2000).all(|id| history.ghost(id).is_some() == ghosts.contains(&id)), "{step}");
            }
        }
        assert!(history.buckets.len() > 512, "{}", history.buckets.len());
    }
}
