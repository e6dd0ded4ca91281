//! The stored entries, their order of use, and the disk space that they take up. Every answer from a policy is checked against this index.
//!
//! Entries are in numbered slots, which are reused, and are linked in the order of use. A policy identifies an entry by the number of
//! its slot. Together with the generation of the slot, the number is a handle, which never identifies another entry.
//!
//! The index also records what has to be appended to the index log: a cursor marks the entries that were used since the last append, and a
//! list has those that were removed.

mod digest_table;
mod lists;
mod node;

use media_cache_entry_files::KeyDigest;
use media_cache_policy_structures::Chunks;

use crate::bindings::media_cache::cache::storage::Stamp;
use crate::entry::{Entry, EntryState, FoundFiles, sidecar_size};
use crate::index::digest_table::DigestTable;
pub use crate::index::lists::Cursor;
use crate::index::lists::Lists;
pub use crate::index::node::Slot;
use crate::index::node::{List, NONE, Node};

/// The number of slots that may be visited before other calls may proceed.
pub const SLICE: Slot = 8192;

/// The maximum number of removed entries that are recorded for the index log. If there are more, the log is rewritten.
const MAX_REMOVED: usize = 1 << 16;

/// The entries of a cache.
#[derive(Default)]
pub struct Index {
    nodes: Chunks<Node>,
    free: Vec<Slot>,
    by_digest: DigestTable,
    lists: Lists,
    disk_bytes: u64,
    media_bytes: u64,
    /// The disk space of new files that will replace those of entries.
    reserved: u64,
    removed: Vec<KeyDigest>,
    removed_too_many: bool,
    /// The next listing to lose its cursor to a new listing.
    first_listing: u8,
}

impl Index {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_digest.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The disk usage in bytes of all entries and of the new files that will replace theirs.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes.saturating_add(self.reserved)
    }

    /// Counts the disk space of new files that will replace those of an entry.
    pub fn reserve(&mut self, disk_size: u64) {
        self.reserved += disk_size;
    }

    /// Ends a reservation that was made by [`reserve`](Self::reserve).
    pub fn release(&mut self, disk_size: u64) {
        self.reserved -= disk_size;
    }

    /// The size of all media in bytes.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes
    }

    /// Adds an entry as the most recently used. There must not be another one with the same digest.
    pub fn insert(&mut self, entry: Entry) -> Slot {
        let slot = self.add(entry);
        self.lists.link_newest(&mut self.nodes, slot);
        slot
    }

    /// Adds an entry from the index log as the most recently used one read so far. It is older than all entries that were used since the
    /// start.
    pub fn insert_earlier(&mut self, entry: Entry) -> Slot {
        let slot = self.add(entry);
        self.lists.link_earlier(&mut self.nodes, slot);
        slot
    }

    /// Adds an entry whose place in the order of use is not known yet.
    pub fn insert_found(&mut self, entry: Entry) -> Slot {
        let slot = self.add(entry);
        self.lists.link_found(&mut self.nodes, slot);
        slot
    }

    fn add(&mut self, entry: Entry) -> Slot {
        debug_assert!(self.find(&entry.digest).is_none());
        self.disk_bytes = self.disk_bytes.saturating_add(entry.disk_size());
        self.media_bytes = self.media_bytes.saturating_add(entry.size);
        let fingerprint = entry.digest.fingerprint();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let node = Node { entry: None, generation: 0, list: List::Used, used: 0, older: NONE, newer: NONE };
                self.nodes.push(node);
                (self.nodes.len() - 1) as Slot
            }
        };
        self.nodes[slot as usize].entry = Some(entry);
        let nodes = &self.nodes;
        self.by_digest.insert(fingerprint, slot, |slot| digest_in(nodes, slot).unwrap_or(KeyDigest::from_bytes([0; 32])));
        slot
    }

    /// Removes an entry.
    pub fn remove(&mut self, slot: Slot) -> Option<Entry> {
        let entry = self.nodes.get_mut(slot as usize)?.entry.take()?;
        self.lists.unlink(&mut self.nodes, slot);
        self.by_digest.remove(entry.digest.fingerprint(), slot);
        self.disk_bytes = self.disk_bytes.saturating_sub(entry.disk_size());
        self.media_bytes = self.media_bytes.saturating_sub(entry.size);
        self.nodes[slot as usize].generation = self.nodes[slot as usize].generation.wrapping_add(1);
        self.free.push(slot);
        if entry.logged {
            match self.removed.len() {
                ..MAX_REMOVED => self.removed.push(entry.digest),
                _ => self.removed_too_many = true,
            }
        }
        Some(entry)
    }

    /// The slot of the entry with this digest.
    #[must_use]
    pub fn find(&self, digest: &KeyDigest) -> Option<Slot> {
        self.by_digest.find(digest.fingerprint(), |slot| digest_in(&self.nodes, slot) == Some(*digest))
    }

    /// The slot of the entry with this fingerprint.
    #[must_use]
    pub fn find_fingerprint(&self, fingerprint: u64) -> Option<Slot> {
        let is_it = |slot| digest_in(&self.nodes, slot).is_some_and(|digest| digest.fingerprint() == fingerprint);
        self.by_digest.find(fingerprint, is_it)
    }

    /// The entry in a slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.nodes.get(slot as usize)?.entry.as_ref()
    }

    /// The entry in a slot, to change anything but its digest and sizes.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.nodes.get_mut(slot as usize)?.entry.as_mut()
    }

    /// Updates the description of an entry. Its slot, its place in the order of use, its hits and the found files are kept.
    pub fn describe(&mut self, slot: Slot, new: &Entry) {
        self.change(slot, |entry| {
            (entry.size, entry.sidecar_size, entry.sidecar_modified) = (new.size, new.sidecar_size, new.sidecar_modified);
            (entry.cost, entry.kind, entry.logged) = (new.cost, new.kind, false);
        });
    }

    /// Records that a listing has found the media of an entry.
    pub fn found_media(&mut self, slot: Slot, size: u64) {
        self.change(slot, |entry| {
            entry.found.differ |= entry.size != size;
            (entry.size, entry.found.media) = (size, true);
        });
    }

    /// Records that a listing has found the sidecar of an entry.
    pub fn found_sidecar(&mut self, slot: Slot, stamp: Stamp) {
        self.change(slot, |entry| {
            entry.found.differ |= !entry.has_sidecar(stamp);
            (entry.sidecar_size, entry.sidecar_modified, entry.found.sidecar) = (sidecar_size(stamp), stamp.modified, true);
        });
    }

    /// Records that a listing has found a file of an entry that cannot be inspected.
    pub fn found_uninspected(&mut self, slot: Slot) {
        self.change(slot, |entry| entry.found.uninspected = true);
    }

    /// Changes an entry, whose sizes may differ afterwards.
    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.nodes.get_mut(slot as usize).and_then(|node| node.entry.as_mut()) else { return };
        let (old_disk_size, old_size) = (entry.disk_size(), entry.size);
        change(entry);
        self.disk_bytes = self.disk_bytes.saturating_sub(old_disk_size).saturating_add(entry.disk_size());
        self.media_bytes = self.media_bytes.saturating_sub(old_size).saturating_add(entry.size);
    }

    /// Forgets which files a listing has found.
    pub fn forget_found(&mut self, slot: Slot) {
        if let Some(entry) = self.get_mut(slot) {
            entry.found = FoundFiles::default();
        }
    }

    /// Makes an entry the most recently used.
    pub fn promote(&mut self, slot: Slot) {
        let unflushed = self.lists.cursor(Cursor::Unflushed);
        if self.get(slot).is_some() && (self.lists.newest(List::Used) != slot || unflushed == NONE) {
            self.lists.unlink(&mut self.nodes, slot);
            self.lists.link_newest(&mut self.nodes, slot);
        }
    }

    /// Makes an entry the most recently used one read so far from the index log. An entry that was used since the start keeps its place.
    pub fn promote_earlier(&mut self, slot: Slot) {
        if self.get(slot).is_some_and(|entry| entry.state == EntryState::Unverified) {
            self.lists.unlink(&mut self.nodes, slot);
            self.lists.link_earlier(&mut self.nodes, slot);
        }
    }

    /// Moves a found entry to its place in the order of use: right before the cursor, or right before all entries that were used since the
    /// start. Returns whether there was such an entry. `number` is the sequence number among the entries that are placed this way.
    pub fn place_found(&mut self, slot: Slot, cursor: Cursor, number: u64) -> bool {
        let is_found = self.nodes.get(slot as usize).is_some_and(|node| node.entry.is_some() && node.list == List::Found);
        if is_found {
            self.lists.unlink(&mut self.nodes, slot);
            let newer = match self.lists.cursor(cursor) {
                NONE => self.lists.cursor(Cursor::Unflushed),
                newer => newer,
            };
            self.lists.link_before(&mut self.nodes, slot, newer, number);
        }
        is_found
    }

    /// Sets the number of the last use of an entry that has not been used since the start.
    pub fn renumber(&mut self, slot: Slot, number: u64) {
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            node.used = number;
        }
    }

    /// Whether an entry has not been used since the start.
    #[must_use]
    pub fn is_earlier(&self, slot: Slot) -> bool {
        self.used(slot) < lists::FIRST_USE
    }

    /// The slot at a cursor. `None` at the end.
    #[must_use]
    pub fn cursor(&self, cursor: Cursor) -> Option<Slot> {
        existing(self.lists.cursor(cursor))
    }

    /// Puts a cursor at an entry, or at the end.
    pub fn set_cursor(&mut self, cursor: Cursor, slot: Option<Slot>) {
        self.lists.set_cursor(cursor, slot.unwrap_or(NONE));
    }

    /// Returns the entry at a cursor, and moves the cursor to the next one.
    pub fn advance(&mut self, cursor: Cursor) -> Option<Slot> {
        let slot = self.cursor(cursor)?;
        self.lists.set_cursor(cursor, self.nodes[slot as usize].newer);
        Some(slot)
    }

    /// The handle of the entry in a slot. It never identifies another entry.
    #[must_use]
    pub fn handle(&self, slot: Slot) -> u64 {
        let generation = self.nodes.get(slot as usize).map_or(0, |node| node.generation);
        u64::from(generation) << 32 | u64::from(slot)
    }

    /// The slot of the entry with this handle, if it still exists.
    #[must_use]
    pub fn resolve(&self, handle: u64) -> Option<Slot> {
        let slot = handle as Slot;
        (self.get(slot).is_some() && self.handle(slot) == handle).then_some(slot)
    }

    /// The number of slots, in use or not: a bound for loops over all entries during which other calls may change the index.
    #[must_use]
    pub fn slot_count(&self) -> Slot {
        self.nodes.len() as Slot
    }

    /// The least recently used entry.
    #[must_use]
    pub fn oldest(&self) -> Option<Slot> {
        existing(self.lists.oldest(List::Used))
    }

    /// The slots in use, least recently used first, without entries that a listing has found but whose place is not known yet.
    pub fn coldest_first(&self) -> impl Iterator<Item = Slot> + '_ {
        self.from(self.lists.oldest(List::Used))
    }

    /// Returns up to `limit` slots whose last use came after `after`, least recently used first, and the `after` of the next page, if there
    /// is one.
    pub fn page(&mut self, after: Option<u64>, limit: usize) -> (Vec<Slot>, Option<u64>) {
        let after = after.unwrap_or(0);
        let marked = (0..lists::LISTINGS).find(|listing| self.continues(Cursor::Listing(*listing), after));
        let start = match marked {
            Some(listing) => self.lists.cursor(Cursor::Listing(listing)),
            None => self.coldest_first().find(|slot| self.used(*slot) > after).unwrap_or(NONE),
        };
        let mut slots: Vec<Slot> = self.from(start).take(limit.saturating_add(1)).collect();
        let next = if slots.len() > limit { slots.pop() } else { None };
        let listing = marked.unwrap_or_else(|| self.begin_listing());
        self.set_cursor(Cursor::Listing(listing), next);
        let after = next.and_then(|_| slots.last().map(|slot| self.used(*slot)));
        (slots, after)
    }

    /// Whether a listing whose last page ended at the use numbered `after` continues at this cursor: the last use of the cursor's entry
    /// came after that, and the last use of the preceding entry did not. Uses are numbered from 1, so 0 is the beginning.
    fn continues(&self, cursor: Cursor, after: u64) -> bool {
        let marked = self.nodes.get(self.lists.cursor(cursor) as usize).filter(|node| node.entry.is_some() && node.used > after);
        marked.is_some_and(|node| self.nodes.get(node.older as usize).is_none_or(|older| older.used <= after))
    }

    /// Returns the number of a listing that has ended or, if all are in progress, of the one that began first.
    fn begin_listing(&mut self) -> u8 {
        let ended = (0..lists::LISTINGS).find(|listing| self.cursor(Cursor::Listing(*listing)).is_none());
        ended.unwrap_or_else(|| {
            let first = self.first_listing;
            self.first_listing = (first + 1) % lists::LISTINGS;
            first
        })
    }

    /// The number of the last use of the entry in a slot.
    #[must_use]
    pub fn used(&self, slot: Slot) -> u64 {
        self.nodes.get(slot as usize).map_or(0, |node| node.used)
    }

    /// Takes the entries that are in the index log and were removed since the last call.
    pub fn take_removed(&mut self) -> Removed {
        let (entries, all) = (std::mem::take(&mut self.removed), !std::mem::take(&mut self.removed_too_many));
        Removed { entries, all }
    }

    fn from(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        std::iter::successors(existing(slot), move |slot| existing(self.nodes[*slot as usize].newer))
    }
}

/// Entries that were removed.
pub struct Removed {
    /// Their digests.
    pub entries: Vec<KeyDigest>,
    /// Whether the list is complete.
    pub all: bool,
}

fn existing(slot: Slot) -> Option<Slot> {
    (slot != NONE).then_some(slot)
}

fn digest_in(nodes: &Chunks<Node>, slot: Slot) -> Option<KeyDigest> {
    nodes.get(slot as usize).and_then(|node| node.entry.as_ref()).map(|entry| entry.digest)
}

#[cfg(test)]
mod tests;
