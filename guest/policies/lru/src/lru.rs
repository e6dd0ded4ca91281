//! Least recently used: entries in the order of their last use; the oldest goes first.
//!
//! The order is a doubly linked list whose links lie in an array. Ids are small and dense, so an id is its own place in the array,
//! and everything takes constant time.

const NONE: usize = usize::MAX;

/// An entry's place in the order.
#[derive(Clone, Copy)]
struct Node {
    size: u64,
    older: usize,
    newer: usize,
    resides: bool,
}

/// Entries in the order of their use.
pub struct Lru {
    nodes: Vec<Node>,
    oldest: usize,
    newest: usize,
}

impl Default for Lru {
    fn default() -> Self {
        Self { nodes: Vec::new(), oldest: NONE, newest: NONE }
    }
}

impl Lru {
    /// Adds an entry as the most recently used.
    pub fn insert(&mut self, id: u64, size: u64) {
        self.remove(id);
        let at = id as usize;
        if at >= self.nodes.len() {
            self.nodes.resize(at + 1, Node { size: 0, older: NONE, newer: NONE, resides: false });
        }
        self.nodes[at].size = size;
        self.link_newest(at);
    }

    /// Makes an entry the most recently used. An id that does not reside is passed over.
    pub fn touch(&mut self, id: u64) {
        if let Some(at) = self.find(id).filter(|at| *at != self.newest) {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    /// Takes an entry out. An id that does not reside is passed over.
    pub fn remove(&mut self, id: u64) {
        if let Some(at) = self.find(id) {
            self.unlink(at);
        }
    }

    /// Takes out the least recently used entries until `needed` is freed, or nothing is left.
    pub fn evict(&mut self, needed: u64) -> Vec<u64> {
        let mut victims = Vec::new();
        let mut freed = 0u64;
        while freed < needed && self.oldest != NONE {
            let victim = self.oldest;
            freed = freed.saturating_add(self.nodes[victim].size);
            victims.push(victim as u64);
            self.unlink(victim);
        }
        victims
    }

    fn find(&self, id: u64) -> Option<usize> {
        let at = usize::try_from(id).ok()?;
        self.nodes.get(at).filter(|node| node.resides).map(|_| at)
    }

    fn link_newest(&mut self, at: usize) {
        let newest = self.newest;
        let node = &mut self.nodes[at];
        (node.older, node.newer, node.resides) = (newest, NONE, true);
        match self.nodes.get_mut(newest) {
            Some(older) => older.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: usize) {
        let Node { older, newer, .. } = self.nodes[at];
        self.nodes[at].resides = false;
        match self.nodes.get_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
        match self.nodes.get_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sizes: &[u64]) -> Lru {
        let mut lru = Lru::default();
        for (id, size) in sizes.iter().enumerate() {
            lru.insert(id as u64, *size);
        }
        lru
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut lru = filled(&[1, 1, 1, 1]);
        lru.touch(0);
        lru.touch(2);
        lru.touch(2);
        assert_eq!(lru.evict(3), [1, 3, 0]);
        assert_eq!(lru.evict(9), [2]);
        assert_eq!(lru.evict(9), [0; 0]);
    }

    #[test]
    fn no_more_is_evicted_than_needed() {
        let mut lru = filled(&[5, 5, 5]);
        assert_eq!(lru.evict(0), [0; 0]);
        assert_eq!(lru.evict(5), [0]);
        assert_eq!(lru.evict(6), [1, 2]);
    }

    #[test]
    fn what_was_removed_is_not_named() {
        let mut lru = filled(&[1, 1, 1]);
        lru.remove(1);
        lru.remove(1);
        lru.touch(1);
        lru.remove(77);
        lru.touch(u64::MAX);
        assert_eq!(lru.evict(9), [0, 2]);
    }

    #[test]
    fn an_entry_that_comes_back_is_the_newest_and_has_its_new_size() {
        let mut lru = filled(&[1, 1]);
        lru.insert(0, 7);
        assert_eq!(lru.evict(1), [1]);
        assert_eq!(lru.evict(7), [0]);
        lru.insert(5, 1);
        assert_eq!(lru.evict(1), [5]);
    }
}
