//! What is stored, in which order it was used, and how much disk it takes. The truth that every answer of a policy is checked
//! against.
//!
//! Entries lie in numbered slots, which are reused, and are linked in the order of their use. A slot's number is what a policy knows
//! the entry by; together with the slot's generation it is a ticket, which names one entry for ever.

use crate::digest::{Key, KeyMap};

/// The block in which disk use is counted, in bytes.
pub const BLOCK: u64 = 4096;

/// What a pair of files takes up on disk, in whole blocks.
#[must_use]
pub fn disk_size(media: u64, sidecar: u64) -> u64 {
    let blocks = |bytes: u64| bytes.div_ceil(BLOCK).saturating_mul(BLOCK);
    blocks(media).saturating_add(blocks(sidecar))
}

/// An entry. `B` is a handle to bytes.
pub struct Entry<B> {
    /// What its files are called.
    pub key: Key,
    /// The URL, as the caller gave it.
    pub url: String,
    /// The media type.
    pub mimetype: String,
    /// The file name.
    pub filename: String,
    /// Bytes of media.
    pub size: u64,
    /// Bytes of sidecar.
    pub sidecar_size: u64,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at: u64,
    /// When it was last asked for, or stored.
    pub accessed_at: u64,
    /// How often it was asked for.
    pub hits: u64,
    /// The SHA-256 of the media, where it is known.
    pub digest: Option<[u8; 32]>,
    /// Whether both files are there. Until then the entry has a place, and cannot be had.
    pub committed: bool,
    /// Its bytes, while it is in memory or open.
    pub resident: Option<B>,
}

impl<B> Entry<B> {
    /// What the entry takes up on disk.
    #[must_use]
    pub fn disk_size(&self) -> u64 {
        disk_size(self.size, self.sidecar_size)
    }
}

/// The number of a slot.
pub type Slot = u32;

const NONE: Slot = Slot::MAX;

struct Node<B> {
    entry: Option<Entry<B>>,
    generation: u32,
    /// When it was last used, in uses of the index. Increases from the oldest to the newest.
    used: u64,
    older: Slot,
    newer: Slot,
}

/// All entries.
pub struct Index<B> {
    nodes: Vec<Node<B>>,
    free: Vec<Slot>,
    by_key: KeyMap<Slot>,
    oldest: Slot,
    newest: Slot,
    uses: u64,
    disk_bytes: u64,
    media_bytes: u64,
    /// Where the listing that is under way goes on: follows the entry it names when that one moves.
    bookmark: Slot,
}

impl<B> Default for Index<B> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            by_key: KeyMap::default(),
            oldest: NONE,
            newest: NONE,
            uses: 0,
            disk_bytes: 0,
            media_bytes: 0,
            bookmark: NONE,
        }
    }
}

impl<B> Index<B> {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// What all entries take up on disk, in bytes.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// The media of all entries, in bytes.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes
    }

    /// Adds an entry as the most recently used. There must be none with its key.
    pub fn insert(&mut self, entry: Entry<B>) -> Slot {
        debug_assert!(!self.by_key.contains_key(&entry.key));
        self.disk_bytes += entry.disk_size();
        self.media_bytes += entry.size;
        let key = entry.key;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.nodes.push(Node { entry: None, generation: 0, used: 0, older: NONE, newer: NONE });
                (self.nodes.len() - 1) as Slot
            }
        };
        self.by_key.insert(key, slot);
        self.nodes[slot as usize].entry = Some(entry);
        self.link_newest(slot);
        slot
    }

    /// Takes an entry out.
    pub fn remove(&mut self, slot: Slot) -> Option<Entry<B>> {
        let entry = self.nodes.get_mut(slot as usize)?.entry.take()?;
        self.unlink(slot);
        self.by_key.remove(&entry.key);
        self.disk_bytes -= entry.disk_size();
        self.media_bytes -= entry.size;
        self.nodes[slot as usize].generation = self.nodes[slot as usize].generation.wrapping_add(1);
        self.free.push(slot);
        Some(entry)
    }

    /// Where the entry with this key is.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<Slot> {
        self.by_key.get(key).copied()
    }

    /// The entry in a slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Entry<B>> {
        self.nodes.get(slot as usize)?.entry.as_ref()
    }

    /// The entry in a slot, to change all of it but its key and sizes.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<B>> {
        self.nodes.get_mut(slot as usize)?.entry.as_mut()
    }

    /// Makes an entry the most recently used.
    pub fn promote(&mut self, slot: Slot) {
        if self.get(slot).is_some() && self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    /// A name for the entry in a slot that is never the name of another.
    #[must_use]
    pub fn ticket(&self, slot: Slot) -> u64 {
        let generation = self.nodes.get(slot as usize).map_or(0, |node| node.generation);
        u64::from(generation) << 32 | u64::from(slot)
    }

    /// Where the entry with this ticket is, if it is still there.
    #[must_use]
    pub fn redeem(&self, ticket: u64) -> Option<Slot> {
        let slot = ticket as Slot;
        (self.get(slot).is_some() && self.ticket(slot) == ticket).then_some(slot)
    }

    /// The slots in use, the least recently used first.
    pub fn coldest_first(&self) -> impl Iterator<Item = Slot> + '_ {
        self.from(self.oldest)
    }

    /// Up to `limit` slots, the least recently used first, that were used after `after`; and what to go on with, if there is more.
    pub fn page(&mut self, after: Option<u64>, limit: usize) -> (Vec<Slot>, Option<u64>) {
        let after = after.unwrap_or(0);
        // Entries are used one after the other, from 1, so the bookmark is right when nothing lies between it and `after`.
        let marked = self.nodes.get(self.bookmark as usize).filter(|node| node.entry.is_some() && node.used > after);
        let fits = marked.is_some_and(|node| self.nodes.get(node.older as usize).is_none_or(|older| older.used <= after));
        let start = if fits { Some(self.bookmark) } else { self.coldest_first().find(|slot| self.used(*slot) > after) };
        let mut slots: Vec<Slot> = start.into_iter().flat_map(|slot| self.from(slot)).take(limit.saturating_add(1)).collect();
        self.bookmark = if slots.len() > limit { slots.pop().unwrap_or(NONE) } else { NONE };
        let next = (self.bookmark != NONE).then(|| slots.last().map(|slot| self.used(*slot))).flatten();
        (slots, next)
    }

    /// When the entry in a slot was last used, in uses of the index.
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
mod tests {
    use super::*;

    fn entry(url: &str, size: u64) -> Entry<()> {
        Entry {
            key: Key::of(url),
            url: url.into(),
            mimetype: "image/png".into(),
            filename: "a.png".into(),
            size,
            sidecar_size: 100,
            stored_at: 0,
            accessed_at: 0,
            hits: 0,
            digest: None,
            committed: true,
            resident: None,
        }
    }

    fn urls(index: &Index<()>) -> String {
        index.coldest_first().map(|slot| index.get(slot).unwrap().url.as_str()).collect()
    }

    fn filled(urls: &str) -> Index<()> {
        let mut index = Index::default();
        for url in urls.chars() {
            index.insert(entry(&url.to_string(), 10));
        }
        index
    }

    fn slot(index: &Index<()>, url: &str) -> Slot {
        index.find(&Key::of(url)).unwrap()
    }

    #[test]
    fn disk_use_is_counted_in_whole_blocks_for_both_files() {
        assert_eq!(disk_size(0, 1), 4096);
        assert_eq!(disk_size(1, 1), 8192);
        assert_eq!(disk_size(4096, 4096), 8192);
        assert_eq!(disk_size(4097, 200), 12288);
        let mut index = filled("ab");
        assert_eq!((index.disk_bytes(), index.media_bytes()), (16384, 20));
        index.remove(slot(&index, "a"));
        assert_eq!((index.disk_bytes(), index.media_bytes(), index.len()), (8192, 10, 1));
    }

    #[test]
    fn what_is_used_becomes_the_newest() {
        let mut index = filled("abcd");
        index.promote(slot(&index, "b"));
        assert_eq!(urls(&index), "acdb");
        index.promote(slot(&index, "a"));
        index.promote(slot(&index, "a"));
        assert_eq!(urls(&index), "cdba");
        index.remove(slot(&index, "d"));
        index.remove(slot(&index, "a"));
        index.remove(slot(&index, "c"));
        assert_eq!(urls(&index), "b");
        index.remove(slot(&index, "b"));
        assert_eq!(urls(&index), "");
        assert_eq!(index.insert(entry("z", 1)), 1, "slots are reused, the last freed first");
    }

    #[test]
    fn a_ticket_never_names_the_next_entry_in_a_slot() {
        let mut index = filled("a");
        let first = index.ticket(0);
        assert_eq!(index.redeem(first), Some(0));
        index.remove(0);
        assert_eq!(index.redeem(first), None);
        assert_eq!(index.insert(entry("b", 1)), 0);
        assert_eq!(index.redeem(first), None);
        assert_ne!(index.ticket(0), first);
        assert_eq!(index.redeem(u64::MAX), None);
    }

    #[test]
    fn a_listing_leaves_nothing_out_while_entries_move() {
        let mut index = filled("abcdefgh");
        let mut seen = String::new();
        let mut next = None;
        let mut round = 0;
        loop {
            let (slots, more) = index.page(next, 2);
            seen.extend(slots.iter().map(|slot| index.get(*slot).unwrap().url.as_str()));
            match round {
                0 => index.promote(slot(&index, "c")),
                1 => drop(index.remove(slot(&index, "f"))),
                2 => index.promote(slot(&index, "a")),
                _ => {}
            }
            round += 1;
            next = more;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen, "abdeghca");
    }

    #[test]
    fn a_listing_goes_on_without_its_bookmark() {
        let mut index = filled("abcdef");
        let (_, first) = index.page(None, 2);
        let (_, other) = index.page(None, 4);
        let (slots, _) = index.page(first, 2);
        assert_eq!(slots, [2, 3]);
        let (slots, end) = index.page(other, 9);
        assert_eq!((slots, end), (vec![4, 5], None));
    }
}
