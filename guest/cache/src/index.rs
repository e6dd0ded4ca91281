//! What is stored, in which order it was used, and how much disk space it takes. Every answer of a policy is checked against it.
//!
//! Entries are in numbered slots, which are reused, and are linked in the order of use. A policy identifies an entry by the number of
//! its slot. Together with the generation of the slot, the number is a handle, which never identifies another entry.

use media_cache_entry_files::{DigestMap, KeyDigest, Sidecar};

use crate::entry::Entry;

/// The number of a slot.
pub type Slot = u32;

const NONE: Slot = Slot::MAX;

struct Node<B> {
    entry: Option<Entry<B>>,
    generation: u32,
    /// The number of its last use. Increases from the oldest to the newest.
    used: u64,
    older: Slot,
    newer: Slot,
}

/// The entries of a cache.
pub struct Index<B> {
    nodes: Vec<Node<B>>,
    free: Vec<Slot>,
    by_digest: DigestMap<Slot>,
    oldest: Slot,
    newest: Slot,
    uses: u64,
    disk_bytes: u64,
    media_bytes: u64,
    /// Disk space of files that are to replace those of entries.
    reserved: u64,
    /// Where the latest listing continues. If that entry moves, the bookmark moves to the next one.
    bookmark: Slot,
}

impl<B> Default for Index<B> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            by_digest: DigestMap::default(),
            oldest: NONE,
            newest: NONE,
            uses: 0,
            disk_bytes: 0,
            media_bytes: 0,
            reserved: 0,
            bookmark: NONE,
        }
    }
}

impl<B> Index<B> {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_digest.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    /// The disk usage of all entries in bytes, and of the files that are to replace theirs.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes + self.reserved
    }

    /// Counts the disk space of files that are to replace those of an entry.
    pub fn reserve(&mut self, disk_size: u64) {
        self.reserved += disk_size;
    }

    /// Ends what [`reserve`](Self::reserve) began.
    pub fn release(&mut self, disk_size: u64) {
        self.reserved -= disk_size;
    }

    /// The size of all media in bytes.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes
    }

    /// Adds an entry as the most recently used. There must be none with the same digest.
    pub fn insert(&mut self, entry: Entry<B>) -> Slot {
        debug_assert!(!self.by_digest.contains_key(&entry.digest));
        self.disk_bytes += entry.disk_size();
        self.media_bytes += entry.size;
        let digest = entry.digest;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.nodes.push(Node { entry: None, generation: 0, used: 0, older: NONE, newer: NONE });
                (self.nodes.len() - 1) as Slot
            }
        };
        self.by_digest.insert(digest, slot);
        self.nodes[slot as usize].entry = Some(entry);
        self.link_newest(slot);
        slot
    }

    /// Removes an entry.
    pub fn remove(&mut self, slot: Slot) -> Option<Entry<B>> {
        let entry = self.nodes.get_mut(slot as usize)?.entry.take()?;
        self.unlink(slot);
        self.by_digest.remove(&entry.digest);
        self.disk_bytes -= entry.disk_size();
        self.media_bytes -= entry.size;
        self.nodes[slot as usize].generation = self.nodes[slot as usize].generation.wrapping_add(1);
        self.free.push(slot);
        Some(entry)
    }

    /// The slot of the entry with this digest.
    #[must_use]
    pub fn find(&self, digest: &KeyDigest) -> Option<Slot> {
        self.by_digest.get(digest).copied()
    }

    /// The entry in a slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Entry<B>> {
        self.nodes.get(slot as usize)?.entry.as_ref()
    }

    /// The entry in a slot, to change anything but its digest and sizes.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<B>> {
        self.nodes.get_mut(slot as usize)?.entry.as_mut()
    }

    /// Describes an entry anew, as its sidecar does. It keeps its slot, its place in the order of use, and its hits.
    pub fn describe(&mut self, slot: Slot, sidecar: Sidecar, sidecar_size: u64) {
        let Some(entry) = self.nodes.get_mut(slot as usize).and_then(|node| node.entry.as_mut()) else { return };
        let (old_disk_size, old_size) = (entry.disk_size(), entry.size);
        (entry.metadata, entry.body_digest) = (sidecar.metadata, sidecar.body_digest);
        (entry.size, entry.sidecar_size) = (sidecar.size, sidecar_size);
        entry.from_snapshot = false;
        self.disk_bytes = self.disk_bytes - old_disk_size + entry.disk_size();
        self.media_bytes = self.media_bytes - old_size + entry.size;
    }

    /// Makes an entry the most recently used.
    pub fn promote(&mut self, slot: Slot) {
        if self.get(slot).is_some() && self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    /// Identifies the entry in a slot, and never another one.
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

    /// The number of slots, in use or not: a bound for loops over all entries that others may change meanwhile.
    #[must_use]
    pub fn slot_count(&self) -> Slot {
        self.nodes.len() as Slot
    }

    /// The slots in use, least recently used first.
    pub fn coldest_first(&self) -> impl Iterator<Item = Slot> + '_ {
        self.from(self.oldest)
    }

    /// Up to `limit` slots, least recently used first, whose last use came after `after`; and the `after` of the next page, if there
    /// is one.
    pub fn page(&mut self, after: Option<u64>, limit: usize) -> (Vec<Slot>, Option<u64>) {
        let after = after.unwrap_or(0);
        // Uses are numbered from 1, so the bookmark is right if no entry is between it and `after`.
        let marked = self.nodes.get(self.bookmark as usize).filter(|node| node.entry.is_some() && node.used > after);
        let fits = marked.is_some_and(|node| self.nodes.get(node.older as usize).is_none_or(|older| older.used <= after));
        let start = if fits { Some(self.bookmark) } else { self.coldest_first().find(|slot| self.used(*slot) > after) };
        let mut slots: Vec<Slot> = start.into_iter().flat_map(|slot| self.from(slot)).take(limit.saturating_add(1)).collect();
        self.bookmark = if slots.len() > limit { slots.pop().unwrap_or(NONE) } else { NONE };
        let next = (self.bookmark != NONE).then(|| slots.last().map(|slot| self.used(*slot))).flatten();
        (slots, next)
    }

    /// The number of the last use of the entry in a slot.
    #[must_use]
    pub fn used(&self, slot: Slot) -> u64 {
        self.nodes.get(slot as usize).map_or(0, |node| node.used)
    }

    fn from(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        let existing = |slot: Slot| (slot != NONE).then_some(slot);
        std::iter::successors(existing(slot), move |slot| existing(self.nodes[*slot as usize].newer))
    }

    fn link_newest(&mut self, slot: Slot) {
        self.uses += 1;
        let newest = self.newest;
        let node = &mut self.nodes[slot as usize];
        (node.used, node.older, node.newer) = (self.uses, newest, NONE);
        match self.nodes.get_mut(newest as usize) {
            Some(older) => older.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: Slot) {
        let Node { older, newer, .. } = self.nodes[slot as usize];
        if self.bookmark == slot {
            self.bookmark = newer;
        }
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests;
