//! What resides in a ranking and in which order it was used: everything that a policy was told, so that another can be told the same.
//!
//! It is kept from the calls of the cache alone. A policy that takes over is told of the entries in pages, the coldest first, while
//! the one before it goes on deciding. An entry that is used meanwhile moves to the hot end and so comes (once more) in a later page:
//! when the last page is told, the new policy knows the order of use as it is then.

use media_cache_policy_kit::{Queue, Slab};

use super::{Entry, Event};

/// The entries of a ranking, in the order of their use.
pub(super) struct Ledger {
    entries: Slab<Known>,
    by_use: Queue,
    len: usize,
    /// Counts the policies that followed. What a policy was told of bears its number.
    follower: u32,
    following: bool,
    /// The coldest entry that the follower has not been told of as it is now.
    next: Option<u64>,
    /// Entries that the follower was told of and that reside no longer.
    gone: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    fingerprint: u64,
    hits: u64,
    accessed_at: u64,
    told: u32,
}

/// A part of what a policy that takes over is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Entries that reside no longer. To be told first.
    pub gone: Vec<u64>,
    /// Entries, the coldest first.
    pub entries: Vec<Told>,
}

impl Page {
    /// How many entries it says something of.
    pub fn len(&self) -> usize {
        self.gone.len() + self.entries.len()
    }
}

/// An entry in a [`Page`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// One that resides.
    Resides(Entry),
    /// One that an earlier page told of, and that has been asked for since.
    Accessed(super::Access),
}

impl Ledger {
    pub fn new() -> Self {
        Self {
            entries: Slab::default(),
            by_use: Queue::new(0),
            len: 0,
            follower: 0,
            following: false,
            next: None,
            gone: Vec::new(),
        }
    }

    /// How many entries reside.
    pub fn len(&self) -> usize {
        self.len
    }

    /// What resides.
    pub fn coldest_first(&self) -> impl Iterator<Item = Entry> + '_ {
        std::iter::successors(self.by_use.oldest(), |id| self.entries.newer(*id)).filter_map(|id| self.entry(id))
    }

    fn entry(&self, id: u64) -> Option<Entry> {
        let Known { fingerprint, hits, accessed_at, .. } = *self.entries.get(id)?;
        Some(Entry { id, fingerprint, size: self.entries.size(id), hits, accessed_at })
    }

    /// Entries reside, each hotter than those before.
    pub fn restore(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.insert(*entry));
    }

    /// An entry resides, the hottest of all.
    pub fn insert(&mut self, entry: Entry) {
        self.remove(entry.id);
        let Entry { id, fingerprint, size, hits, accessed_at } = entry;
        self.entries.push(&mut self.by_use, id, size, Known { fingerprint, hits, accessed_at, told: 0 });
        // An id beyond all reason is passed over.
        if self.entries.get(id).is_some() {
            self.len += 1;
            self.next = self.next.or(Some(id));
        }
    }

    /// What happened, the oldest first.
    pub fn observe(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Accessed(access) => self.access(*access),
                Event::Removed(id) => drop(self.remove(*id)),
            }
        }
    }

    /// An entry resides no longer. Says whether it did.
    pub fn remove(&mut self, id: u64) -> bool {
        let Some(known) = self.entries.get(id) else { return false };
        if self.following && known.told == self.follower {
            self.gone.push(id);
        }
        self.pass(id);
        self.entries.remove(&mut self.by_use, id);
        self.len -= 1;
        true
    }

    /// From here on, pages tell of what resides.
    pub fn follow(&mut self) {
        self.follower = self.follower.wrapping_add(1).max(1);
        self.following = true;
        self.next = self.by_use.oldest();
        self.gone.clear();
    }

    /// No more pages are wanted.
    pub fn unfollow(&mut self) {
        self.following = false;
        self.gone = Vec::new();
    }

    /// The next part, of at most `limit` entries. An empty one is the last.
    pub fn page(&mut self, limit: usize) -> Page {
        let gone: Vec<u64> = self.gone.drain(..limit.min(self.gone.len())).collect();
        let limit = limit - gone.len();
        let mut entries = Vec::new();
        while let Some(id) = self.next.filter(|_| entries.len() < limit) {
            self.next = self.entries.newer(id);
            let (Some(entry), Some(known)) = (self.entry(id), self.entries.get_mut(id)) else { break };
            let told = std::mem::replace(&mut known.told, self.follower);
            entries.push(match told == self.follower {
                true => Told::Accessed(super::Access { id, at: entry.accessed_at }),
                false => Told::Resides(entry),
            });
        }
        Page { gone, entries }
    }

    fn access(&mut self, access: super::Access) {
        let super::Access { id, at } = access;
        let Some(known) = self.entries.get_mut(id) else { return };
        known.hits = known.hits.saturating_add(1);
        known.accessed_at = at;
        self.pass(id);
        self.entries.renew(&mut self.by_use, id);
        self.next = self.next.or(Some(id));
    }

    /// An entry leaves its place: if it is the next to be told of, the one after it is.
    fn pass(&mut self, id: u64) {
        if self.next == Some(id) {
            self.next = self.entries.newer(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Access;

    fn entry(id: u64) -> Entry {
        Entry { id, fingerprint: id + 100, size: 1, hits: 0, accessed_at: 0 }
    }

    fn filled(len: u64) -> Ledger {
        let mut ledger = Ledger::new();
        ledger.restore(&(0..len).map(entry).collect::<Vec<_>>());
        ledger
    }

    fn accessed(ids: &[u64]) -> Vec<Event> {
        ids.iter().map(|id| Event::Accessed(Access { id: *id, at: 7 })).collect()
    }

    /// A page in short: gone ids, then entries; those that were told of before in brackets.
    fn read(page: &Page) -> String {
        let gone = page.gone.iter().map(|id| format!("-{id} "));
        let entries = page.entries.iter().map(|told| match told {
            Told::Resides(entry) => format!("{} ", entry.id),
            Told::Accessed(access) => format!("({}) ", access.id),
        });
        gone.chain(entries).collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn pages_tell_of_everything_from_the_coldest_to_the_hottest() {
        let mut ledger = filled(5);
        ledger.observe(&accessed(&[1, 1]));
        ledger.follow();
        assert_eq!(read(&ledger.page(3)), "0 2 3");
        assert_eq!(read(&ledger.page(3)), "4 1");
        assert_eq!(read(&ledger.page(3)), "");
        ledger.follow();
        let page = ledger.page(9);
        assert_eq!(page.entries[4], Told::Resides(Entry { id: 1, fingerprint: 101, size: 1, hits: 2, accessed_at: 7 }));
    }

    #[test]
    fn what_is_used_while_pages_are_told_comes_in_a_later_one() {
        let mut ledger = filled(4);
        ledger.follow();
        assert_eq!(read(&ledger.page(2)), "0 1");
        ledger.observe(&accessed(&[0, 2]));
        assert_eq!(read(&ledger.page(9)), "3 (0) 2");
        ledger.observe(&accessed(&[3]));
        ledger.insert(entry(9));
        assert_eq!(read(&ledger.page(9)), "(3) 9");
    }

    #[test]
    fn what_goes_while_pages_are_told_is_told_of_once() {
        let mut ledger = filled(4);
        ledger.follow();
        ledger.page(2);
        assert!(ledger.remove(1));
        assert!(ledger.remove(2));
        assert!(!ledger.remove(2));
        ledger.insert(entry(1));
        assert_eq!(read(&ledger.page(9)), "-1 3 1", "2 was never told of; the second 1 is another entry");
        assert_eq!(ledger.len(), 3);
    }

    #[test]
    fn a_ledger_that_nobody_follows_remembers_nothing_of_what_went() {
        let mut ledger = filled(4);
        ledger.follow();
        ledger.page(4);
        ledger.unfollow();
        ledger.remove(0);
        ledger.follow();
        assert_eq!(read(&ledger.page(9)), "1 2 3");
    }

    #[test]
    fn ids_that_do_not_reside_are_passed_over() {
        let mut ledger = filled(1);
        ledger.observe(&accessed(&[5, u64::MAX]));
        ledger.observe(&[Event::Removed(5), Event::Removed(u64::MAX)]);
        assert_eq!(ledger.len(), 1);
    }
}
