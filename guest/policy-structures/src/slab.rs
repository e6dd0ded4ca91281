//! Entries in queues: doubly linked lists whose links are in one array.
//!
//! Ids are small and dense, so an id is the position of its entry in the array, and every operation takes constant time.

/// Identifies an entry while it is tracked. Ids are small, dense and start at 0. They are reused.
pub type EntryId = u64;

use crate::sparse::Sparse;

const NONE: u32 = u32::MAX;

/// Ids of this value or more are ignored: they are not dense, and arrays for them would not fit into memory.
pub const MAX_ENTRIES: u64 = 1 << 24;

/// Tracked entries, each in one [`Queue`], with a value `T` of the policy.
pub struct Slab<T> {
    nodes: Sparse<Node<T>>,
}

#[derive(Clone, Copy)]
struct Node<T> {
    size: u64,
    older: u32,
    newer: u32,
    /// The tag of the entry's queue; 0 for none.
    queue: u8,
    value: T,
}

/// The ends of a queue of entries in a [`Slab`].
pub struct Queue {
    tag: u8,
    oldest: u32,
    newest: u32,
    size: u64,
}

impl Queue {
    /// An empty queue. Tags distinguish the queues of a slab.
    #[must_use]
    pub const fn new(tag: u8) -> Self {
        Self { tag: tag + 1, oldest: NONE, newest: NONE, size: 0 }
    }

    /// The entry that was added first.
    #[must_use]
    pub fn oldest(&self) -> Option<EntryId> {
        id(self.oldest)
    }

    /// The entry that was added last.
    #[must_use]
    pub fn newest(&self) -> Option<EntryId> {
        id(self.newest)
    }

    /// The total size of the entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oldest == NONE
    }
}

impl<T: Copy + Default> Default for Slab<T> {
    fn default() -> Self {
        Self { nodes: Sparse::new(Node { size: 0, older: NONE, newer: NONE, queue: 0, value: T::default() }) }
    }
}

impl<T: Copy + Default> Slab<T> {
    /// Adds an entry that is not in any queue as the newest of `queue`. Ids of [`MAX_ENTRIES`] or more are ignored.
    pub fn push(&mut self, queue: &mut Queue, id: EntryId, size: u64, value: T) {
        if id >= MAX_ENTRIES {
            return;
        }
        let at = id as usize;
        let node = self.nodes.at(at);
        (node.size, node.value) = (size, value);
        self.link(queue, at as u32);
    }

    /// Removes an entry from `queue` and returns its size. An entry that is not in the queue is ignored.
    pub fn remove(&mut self, queue: &mut Queue, id: EntryId) -> Option<u64> {
        let node = self.nodes.get(id as usize).filter(|node| node.queue == queue.tag)?;
        let size = node.size;
        self.unlink(queue, id as u32);
        Some(size)
    }

    /// Makes an entry the newest of `queue`. An entry that is not in the queue is ignored.
    pub fn renew(&mut self, queue: &mut Queue, id: EntryId) {
        let at = id as u32;
        if self.nodes.get(id as usize).is_some_and(|node| node.queue == queue.tag) && at != queue.newest {
            self.unlink(queue, at);
            self.link(queue, at);
        }
    }

    /// Moves an entry from one queue to the newest end of another. An entry that is not in `from` is ignored.
    pub fn pass(&mut self, from: &mut Queue, to: &mut Queue, id: EntryId) {
        if self.remove(from, id).is_some() {
            self.link(to, id as u32);
        }
    }

    /// The tag of the entry's queue, as given to [`Queue::new`], if the entry is tracked.
    #[must_use]
    pub fn queue(&self, id: EntryId) -> Option<u8> {
        self.nodes.get(id as usize)?.queue.checked_sub(1)
    }

    /// The value of an entry, if it is tracked.
    #[must_use]
    pub fn get(&self, id: EntryId) -> Option<&T> {
        self.nodes.get(id as usize).filter(|node| node.queue != 0).map(|node| &node.value)
    }

    /// The value of an entry, if it is tracked.
    pub fn get_mut(&mut self, id: EntryId) -> Option<&mut T> {
        self.nodes.get_mut(id as usize).filter(|node| node.queue != 0).map(|node| &mut node.value)
    }

    /// The size of an entry, 0 if it is not tracked.
    #[must_use]
    pub fn size(&self, id: EntryId) -> u64 {
        self.nodes.get(id as usize).filter(|node| node.queue != 0).map_or(0, |node| node.size)
    }

    /// The entry that was added to the same queue right after this one.
    #[must_use]
    pub fn newer(&self, entry: EntryId) -> Option<EntryId> {
        id(self.nodes.get(entry as usize)?.newer)
    }

    fn link(&mut self, queue: &mut Queue, at: u32) {
        let newest = queue.newest;
        let node = self.nodes.at(at as usize);
        (node.older, node.newer, node.queue) = (newest, NONE, queue.tag);
        queue.size = queue.size.saturating_add(node.size);
        match self.nodes.get_mut(newest as usize) {
            Some(older) => older.newer = at,
            None => queue.oldest = at,
        }
        queue.newest = at;
    }

    fn unlink(&mut self, queue: &mut Queue, at: u32) {
        let node = self.nodes.at(at as usize);
        let (older, newer) = (node.older, node.newer);
        node.queue = 0;
        queue.size = queue.size.saturating_sub(node.size);
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => queue.oldest = newer,
        }
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => queue.newest = older,
        }
    }
}

fn id(at: u32) -> Option<EntryId> {
    (at != NONE).then_some(at.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sizes: &[u64]) -> (Slab<char>, Queue) {
        let (mut slab, mut queue) = (Slab::default(), Queue::new(0));
        for (id, size) in sizes.iter().enumerate() {
            slab.push(&mut queue, id as u64, *size, 'a');
        }
        (slab, queue)
    }

    fn order(slab: &Slab<char>, queue: &Queue) -> Vec<EntryId> {
        std::iter::successors(queue.oldest(), |id| slab.newer(*id)).collect()
    }

    #[test]
    fn a_queue_is_in_the_order_of_arrival() {
        let (mut slab, mut queue) = filled(&[1, 2, 3, 4]);
        slab.renew(&mut queue, 1);
        slab.renew(&mut queue, 1);
        assert_eq!(order(&slab, &queue), [0, 2, 3, 1]);
        assert_eq!((queue.oldest(), queue.newest(), queue.size()), (Some(0), Some(1), 10));
        assert_eq!(slab.remove(&mut queue, 0), Some(1));
        assert_eq!(slab.remove(&mut queue, 1), Some(2));
        assert_eq!(slab.remove(&mut queue, 3), Some(4));
        assert_eq!(order(&slab, &queue), [2]);
        assert_eq!(slab.remove(&mut queue, 2), Some(3));
        assert_eq!((queue.oldest(), queue.newest(), queue.size(), queue.is_empty()), (None, None, 0, true));
    }

    #[test]
    fn an_entry_is_in_one_queue_and_cannot_be_changed_through_another() {
        let (mut slab, mut first) = filled(&[5]);
        let mut second = Queue::new(1);
        assert_eq!(slab.remove(&mut second, 0), None);
        slab.renew(&mut second, 0);
        assert_eq!((slab.queue(0), second.is_empty(), first.size()), (Some(0), true, 5));
        slab.remove(&mut first, 0);
        slab.push(&mut second, 0, 7, 'b');
        assert_eq!((slab.queue(0), slab.size(0), slab.get(0), first.size()), (Some(1), 7, Some(&'b'), 0));
    }

    #[test]
    fn an_entry_moves_to_another_queue_with_its_value() {
        let (mut slab, mut first) = filled(&[5, 6]);
        let mut second = Queue::new(1);
        slab.pass(&mut first, &mut second, 0);
        slab.pass(&mut first, &mut second, 0);
        slab.pass(&mut first, &mut second, 9);
        assert_eq!((slab.queue(0), slab.size(0), slab.get(0)), (Some(1), 5, Some(&'a')));
        assert_eq!((first.oldest(), first.size(), second.oldest(), second.size()), (Some(1), 6, Some(0), 5));
    }

    #[test]
    fn slab_ignores_an_id_beyond_the_maximum() {
        let (mut slab, mut queue) = filled(&[1]);
        for id in [MAX_ENTRIES, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            slab.push(&mut queue, id, 1, 'b');
            assert_eq!((slab.get(id), queue.size()), (None, 1));
        }
        assert_eq!((order(&slab, &queue), slab.nodes.allocated() < 100), (vec![0], true));
    }

    #[test]
    fn an_entry_that_is_not_tracked_is_ignored() {
        let (mut slab, mut queue) = filled(&[1]);
        for id in [1, 77, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(slab.remove(&mut queue, id), None);
            slab.renew(&mut queue, id);
            assert_eq!(slab.get_mut(id), None);
            assert_eq!((slab.get(id), slab.size(id), slab.queue(id)), (None, 0, None));
        }
        assert_eq!(order(&slab, &queue), [0]);
    }
}
