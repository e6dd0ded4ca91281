//! Entries by priority: a heap in arrays, from which the entry with the smallest key is popped.
//!
//! A key can be raised but not lowered, which makes raising cheap: the new key is recorded, and the heap keeps the old one, which is not
//! greater. An entry sinks to its place only if it reaches the top with an outdated key. A popular entry costs no more than any other.

use crate::chunks::Chunks;
use crate::slab::{EntryId, MAX_ENTRIES};
use crate::sparse::Sparse;

/// The number of children per node. Four children result in fewer levels than two, and are adjacent in memory.
const CHILDREN: usize = 4;

const NOWHERE: u32 = u32::MAX;

/// Tracked entries, each with a key and a value `T` of the policy. Raising takes constant time, all other operations logarithmic time.
pub struct Heap<K, T> {
    /// The key of a node is not greater than those of its children.
    nodes: Chunks<Node<K>>,
    slots: Sparse<Slot<K, T>>,
}

#[derive(Clone, Copy)]
struct Node<K> {
    /// The key of the entry, or an earlier one.
    key: K,
    id: u32,
}

#[derive(Clone, Copy)]
struct Slot<K, T> {
    key: K,
    /// The position of the entry's node.
    at: u32,
    value: T,
}

impl<K: Copy + Default, T: Copy + Default> Default for Heap<K, T> {
    fn default() -> Self {
        Self { nodes: Chunks::default(), slots: Sparse::new(Slot { key: K::default(), at: NOWHERE, value: T::default() }) }
    }
}

impl<K: Copy + PartialOrd, T: Copy> Heap<K, T> {
    /// Adds an entry that is not tracked. Ids of [`MAX_ENTRIES`] or more are ignored.
    pub fn push(&mut self, id: EntryId, key: K, value: T) {
        if id >= MAX_ENTRIES {
            return;
        }
        *self.slots.at(id as usize) = Slot { key, at: NOWHERE, value };
        self.nodes.push(Node { key, id: id as u32 });
        self.rise(self.nodes.len() - 1);
    }

    /// Removes the entry with the smallest key.
    pub fn pop(&mut self) -> Option<(EntryId, K, T)> {
        loop {
            let Node { key, id } = *self.nodes.get(0)?;
            let slot = self.slots.at(id as usize);
            if key < slot.key {
                self.nodes[0].key = slot.key;
                self.sink(0);
            } else {
                let value = slot.value;
                slot.at = NOWHERE;
                self.cut(0);
                return Some((id.into(), key, value));
            }
        }
    }

    /// Removes an entry, if it is tracked.
    pub fn remove(&mut self, id: EntryId) {
        let Some(slot) = self.slots.get_mut(id as usize).filter(|slot| slot.at != NOWHERE) else { return };
        let at = slot.at as usize;
        slot.at = NOWHERE;
        self.cut(at);
    }

    /// The value of an entry, if it is tracked.
    #[must_use]
    pub fn get(&self, id: EntryId) -> Option<&T> {
        self.slots.get(id as usize).filter(|slot| slot.at != NOWHERE).map(|slot| &slot.value)
    }

    /// Changes the value of an entry, and raises its key to what `change` returns. An entry that is not tracked is ignored, as is a smaller
    /// key.
    pub fn raise(&mut self, id: EntryId, change: impl FnOnce(&mut T) -> K) {
        let Some(slot) = self.slots.get_mut(id as usize).filter(|slot| slot.at != NOWHERE) else { return };
        let key = change(&mut slot.value);
        if slot.key < key {
            slot.key = key;
        }
    }

    /// Replaces a node with the last one.
    fn cut(&mut self, at: usize) {
        let Some(last) = self.nodes.pop() else { return };
        if at < self.nodes.len() {
            self.nodes[at] = last;
            self.sink(at);
            self.rise(at);
        }
    }

    /// Moves a node away from the top until its children are not smaller.
    fn sink(&mut self, mut at: usize) {
        let node = self.nodes[at];
        loop {
            let first = at * CHILDREN + 1;
            let end = self.nodes.len().min(first + CHILDREN);
            let mut least = (at, node);
            for child in first..end {
                if self.nodes[child].key < least.1.key {
                    least = (child, self.nodes[child]);
                }
            }
            if least.0 == at {
                break;
            }
            self.put(at, least.1);
            at = least.0;
        }
        self.put(at, node);
    }

    /// Moves a node towards the top until its parent is not greater.
    fn rise(&mut self, mut at: usize) {
        let node = self.nodes[at];
        while at > 0 {
            let parent = self.nodes[(at - 1) / CHILDREN];
            if parent.key <= node.key {
                break;
            }
            self.put(at, parent);
            at = (at - 1) / CHILDREN;
        }
        self.put(at, node);
    }

    fn put(&mut self, at: usize, node: Node<K>) {
        self.nodes[at] = node;
        self.slots.at(node.id as usize).at = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emptied(heap: &mut Heap<u64, char>) -> Vec<EntryId> {
        std::iter::from_fn(|| heap.pop()).map(|(id, ..)| id).collect()
    }

    #[test]
    fn the_smallest_key_is_popped_first() {
        let mut heap = Heap::default();
        // 37 and 101 are coprime, so every key occurs once.
        (0..101).for_each(|id| heap.push(id, (id + 1) * 37 % 101, 'a'));
        let keys: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|(_, key, _)| key).collect();
        assert_eq!(keys, (0..101).collect::<Vec<_>>());
    }

    #[test]
    fn raise_ignores_a_smaller_key() {
        let mut heap = Heap::default();
        (0..4).for_each(|id| heap.push(id, 10 + id, 'a'));
        heap.raise(0, |value| {
            *value = 'b';
            13
        });
        heap.raise(0, |_| 20);
        heap.raise(0, |_| 2);
        heap.raise(1, |_| 12);
        heap.raise(3, |_| 1);
        heap.raise(4, |_| 1);
        assert_eq!((heap.get(0), heap.get(1), heap.get(4)), (Some(&'b'), Some(&'a'), None));
        assert_eq!(emptied(&mut heap), [1, 2, 3, 0]);
        heap.push(0, 5, 'c');
        assert_eq!((heap.pop(), heap.pop()), (Some((0, 5, 'c')), None));
    }

    #[test]
    fn removal_keeps_the_remaining_entries_in_order() {
        for removed in 0..40 {
            let mut heap = Heap::default();
            // The keys of even ids are small, so the last node may have to rise from the gap that it fills.
            (0..40).for_each(|id| heap.push(id, if id % 2 == 0 { id } else { 100 - id }, 'a'));
            (0..40).step_by(3).for_each(|id| heap.raise(id, |_| 50 + id));
            heap.remove(removed);
            heap.remove(removed);
            heap.remove(99);
            let keys: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|(_, key, _)| key).collect();
            assert!(keys.len() == 39 && keys.is_sorted(), "without {removed}: {keys:?}");
        }
    }

    #[test]
    fn node_that_fills_a_gap_is_sifted_up_if_necessary() {
        let keys = [0, 10, 1, 1, 1, 20, 21, 22, 23, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 3];
        let mut heap = Heap::default();
        (0..).zip(keys).for_each(|(id, key)| heap.push(id, key, 'a'));
        // The last node, with the key 3, is now below the key 10.
        heap.remove(5);
        assert_eq!(emptied(&mut heap)[..7], [0, 2, 3, 4, 20, 1, 6]);
    }

    #[test]
    fn heap_ignores_an_id_beyond_the_maximum() {
        let mut heap = Heap::default();
        for id in [MAX_ENTRIES, 1 << 32, u64::MAX] {
            heap.push(id, 1, 'a');
            heap.remove(id);
        }
        assert_eq!((heap.pop(), heap.slots.allocated()), (None, 0));
    }
}
