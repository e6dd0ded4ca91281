//! The order of use: doubly linked lists through the slots, with cursors that remain valid whatever happens to the entry that they point
//! to.

use media_cache_policy_structures::Chunks;

use crate::index::node::{List, NONE, Node, Slot};

/// A remembered place in the order of use. If its entry moves, the cursor advances to the next one.
#[derive(Clone, Copy, Debug)]
pub enum Cursor {
    /// The first entry that was used since the index log was last appended to.
    Unflushed,
    /// The next entry to be written to a new index log.
    Compaction,
    /// The next entry to be reported to the policy while the directory is being loaded.
    Loading,
    /// The entry at which one of the listings in progress continues.
    Listing(u8),
}

/// The number of listings in progress that have their own cursor. Additional listings have to search for the place where they continue.
pub(super) const LISTINGS: u8 = 4;

const CURSORS: usize = 3 + LISTINGS as usize;

impl Cursor {
    fn number(self) -> usize {
        match self {
            Self::Unflushed => 0,
            Self::Compaction => 1,
            Self::Loading => 2,
            Self::Listing(listing) => 3 + usize::from(listing % LISTINGS),
        }
    }
}

pub(super) struct Lists {
    ends: [(Slot, Slot); 2],
    cursors: [Slot; CURSORS],
    /// The number of the last use.
    uses: u64,
    /// The number of the last use that was read from the index log so far.
    earlier_uses: u64,
}

/// The number of the first use since the start. Uses in the index log are numbered from 1.
pub(super) const FIRST_USE: u64 = 1 << 40;

impl Default for Lists {
    fn default() -> Self {
        Self { ends: [(NONE, NONE); 2], cursors: [NONE; CURSORS], uses: FIRST_USE, earlier_uses: 0 }
    }
}

impl Lists {
    pub fn oldest(&self, list: List) -> Slot {
        self.ends[list as usize].0
    }

    pub fn newest(&self, list: List) -> Slot {
        self.ends[list as usize].1
    }

    pub fn cursor(&self, cursor: Cursor) -> Slot {
        self.cursors[cursor.number()]
    }

    pub fn set_cursor(&mut self, cursor: Cursor, slot: Slot) {
        self.cursors[cursor.number()] = slot;
    }

    /// Links a slot as the most recently used.
    pub fn link_newest(&mut self, nodes: &mut Chunks<Node>, slot: Slot) {
        self.uses += 1;
        self.link(nodes, List::Used, slot, NONE, self.uses);
        // Cursors that were at the end visit this slot next.
        for cursor in [Cursor::Unflushed, Cursor::Compaction, Cursor::Loading] {
            let cursor = &mut self.cursors[cursor.number()];
            if *cursor == NONE {
                *cursor = slot;
            }
        }
    }

    /// Links a slot as the most recently used one of those that have not been used since the start.
    pub fn link_earlier(&mut self, nodes: &mut Chunks<Node>, slot: Slot) {
        self.earlier_uses += 1;
        self.link(nodes, List::Used, slot, self.cursor(Cursor::Unflushed), self.earlier_uses);
    }

    /// Links a slot right before another one.
    pub fn link_before(&mut self, nodes: &mut Chunks<Node>, slot: Slot, newer: Slot, number: u64) {
        self.link(nodes, List::Used, slot, newer, number);
    }

    /// Links a slot whose place in the order of use is not known.
    pub fn link_found(&mut self, nodes: &mut Chunks<Node>, slot: Slot) {
        self.link(nodes, List::Found, slot, NONE, 0);
    }

    fn link(&mut self, nodes: &mut Chunks<Node>, list: List, slot: Slot, newer: Slot, used: u64) {
        let older = nodes.get(newer as usize).map_or(self.newest(list), |node| node.older);
        let node = &mut nodes[slot as usize];
        (node.used, node.older, node.newer, node.list) = (used, older, newer, list);
        match nodes.get_mut(older as usize) {
            Some(node) => node.newer = slot,
            None => self.ends[list as usize].0 = slot,
        }
        match nodes.get_mut(newer as usize) {
            Some(node) => node.older = slot,
            None => self.ends[list as usize].1 = slot,
        }
    }

    pub fn unlink(&mut self, nodes: &mut Chunks<Node>, slot: Slot) {
        let Node { older, newer, list, .. } = nodes[slot as usize];
        for cursor in self.cursors.iter_mut().filter(|cursor| **cursor == slot) {
            *cursor = newer;
        }
        match nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.ends[list as usize].0 = newer,
        }
        match nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.ends[list as usize].1 = older,
        }
    }
}
