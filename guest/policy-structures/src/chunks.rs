//! An array that grows without moving its items.

use std::ops::{Index, IndexMut};

/// The number of items in a chunk.
const CHUNK: usize = 1024;

/// A growable array in chunks of equal size. A `Vec` of a million items is copied whenever it grows, which takes several milliseconds and
/// temporarily needs additional memory for the copy. This array never copies more than one chunk.
pub struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunks<T> {
    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an item.
    pub fn push(&mut self, item: T) {
        if self.len == self.chunks.len() * CHUNK {
            // The first chunk may stay small.
            self.chunks.push(Vec::with_capacity(if self.chunks.is_empty() { 0 } else { CHUNK }));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(item);
            self.len += 1;
        }
    }

    /// Removes the last item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.chunks.last_mut()?.pop()?;
        self.len -= 1;
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.pop();
        }
        Some(item)
    }

    /// The item at a position.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// The item at a position.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_positions_and_addresses() {
        let mut chunks = Chunks::default();
        (0..CHUNK).for_each(|number| chunks.push(number));
        let address = std::ptr::from_ref(&chunks[7]);
        (CHUNK..3 * CHUNK + 1).for_each(|number| chunks.push(number));
        assert_eq!(chunks.len(), 3 * CHUNK + 1);
        assert!((0..chunks.len()).all(|at| chunks[at] == at && chunks.get(at) == Some(&at)));
        assert_eq!(chunks.get(chunks.len()), None);
        assert_eq!(std::ptr::from_ref(&chunks[7]), address);
    }

    #[test]
    fn the_last_item_is_removed_first() {
        let mut chunks = Chunks::default();
        for len in [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
            (0..len).for_each(|number| chunks.push(number));
            assert!((0..len).rev().all(|number| chunks.pop() == Some(number) && chunks.len() == number));
            assert_eq!((chunks.pop(), chunks.is_empty()), (None, true));
        }
    }
}
