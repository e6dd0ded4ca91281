//! Records which entries a policy tracks, in the order of their use, so that another policy can be seeded with the same state.
//!
//! The log is derived only from the cache's calls to the policy. A policy that is taking over receives deltas, coldest entries first, while
//! its predecessor still decides. An entry that is used in the meantime moves to the hot end, and is therefore part of a later delta. After
//! the last delta, the new policy has the current order of use.

use media_cache_policy_structures::{Queue, Slab};

use crate::policy::types::{Access, Entry, Event, MediaKind};

/// The entries of a tier, in the order of their use.
pub(super) struct ResidencyLog {
    entries: Slab<Known>,
    by_use: Queue,
    len: usize,
    /// The number of the current subscriber. Entries that it has received are marked with it.
    subscriber: u32,
    subscribed: bool,
    /// The coldest entry whose current state the subscriber has not received.
    next: Option<u64>,
    /// Entries that the subscriber has received and that are no longer tracked.
    removed: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Known {
    fingerprint: u64,
    hits: u64,
    accessed_at: u64,
    cost: u32,
    waiters: u32,
    kind: MediaKind,
    seen_by: u32,
}

impl Default for Known {
    fn default() -> Self {
        let (fingerprint, hits, accessed_at, cost, waiters, seen_by) = Default::default();
        Self { fingerprint, hits, accessed_at, cost, waiters, kind: MediaKind::Other, seen_by }
    }
}

/// A part of the state that a policy has to receive before it takes over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    /// Entries that are no longer tracked. They must be reported first.
    pub removed: Vec<u64>,
    /// Tracked entries, coldest first.
    pub entries: Vec<DeltaEntry>,
}

impl Delta {
    /// The number of entries in this delta.
    pub fn len(&self) -> usize {
        self.removed.len() + self.entries.len()
    }
}

/// An entry in a [`Delta`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeltaEntry {
    /// A tracked entry.
    Tracked(Entry),
    /// An entry that was in an earlier delta and has been used since.
    Accessed(Access),
}

impl ResidencyLog {
    pub fn new() -> Self {
        Self {
            entries: Slab::default(),
            by_use: Queue::new(0),
            len: 0,
            subscriber: 0,
            subscribed: false,
            next: None,
            removed: Vec::new(),
        }
    }

    /// The number of tracked entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The tracked entries, coldest first.
    pub fn coldest_first(&self) -> impl Iterator<Item = Entry> + '_ {
        std::iter::successors(self.by_use.oldest(), |id| self.entries.newer(*id)).filter_map(|id| self.entry(id))
    }

    /// Whether the entries are those of the disk tier, where each takes up at least two blocks. In the memory tier, every size is 1.
    pub fn is_on_disk(&self) -> bool {
        self.by_use.newest().is_some_and(|id| self.entries.size(id) > 1)
    }

    /// A tracked entry.
    pub fn entry(&self, id: u64) -> Option<Entry> {
        let Known { fingerprint, hits, accessed_at, cost, waiters, kind, .. } = *self.entries.get(id)?;
        Some(Entry { id, fingerprint, size: self.entries.size(id), hits, accessed_at, cost, waiters, kind })
    }

    /// Adds entries, coldest first. Each is hotter than all entries before it.
    pub fn restore(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.insert(*entry));
    }

    /// Adds an entry as the hottest one.
    pub fn insert(&mut self, entry: Entry) {
        self.remove(entry.id);
        let Entry { id, fingerprint, size, hits, accessed_at, cost, waiters, kind } = entry;
        self.entries.push(&mut self.by_use, id, size, Known { fingerprint, hits, accessed_at, cost, waiters, kind, seen_by: 0 });
        // The slab ignores ids that are unreasonably large.
        if self.entries.get(id).is_some() {
            self.len += 1;
            self.next = self.next.or(Some(id));
        }
    }

    /// Applies events, oldest first.
    pub fn observe(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Accessed(access) => self.access(*access),
                Event::Removed(id) => drop(self.remove(*id)),
            }
        }
    }

    /// Removes an entry. Returns whether it was tracked.
    pub fn remove(&mut self, id: u64) -> bool {
        let Some(known) = self.entries.get(id) else { return false };
        if self.subscribed && known.seen_by == self.subscriber {
            self.removed.push(id);
        }
        self.skip(id);
        self.entries.remove(&mut self.by_use, id);
        self.len -= 1;
        true
    }

    /// Starts a new subscription: deltas then list all tracked entries.
    pub fn subscribe(&mut self) {
        self.subscriber = self.subscriber.wrapping_add(1).max(1);
        self.subscribed = true;
        self.next = self.by_use.oldest();
        self.removed.clear();
    }

    /// Ends the subscription.
    pub fn unsubscribe(&mut self) {
        self.subscribed = false;
        self.removed = Vec::new();
    }

    /// The next delta, with at most `limit` entries. An empty delta is the last one.
    pub fn delta(&mut self, limit: usize) -> Delta {
        let removed: Vec<u64> = self.removed.drain(..limit.min(self.removed.len())).collect();
        let limit = limit - removed.len();
        let mut entries = Vec::new();
        while let Some(id) = self.next.filter(|_| entries.len() < limit) {
            self.next = self.entries.newer(id);
            let (Some(entry), Some(known)) = (self.entry(id), self.entries.get_mut(id)) else { break };
            let seen_by = std::mem::replace(&mut known.seen_by, self.subscriber);
            entries.push(match seen_by == self.subscriber {
                true => DeltaEntry::Accessed(Access { id, at: entry.accessed_at }),
                false => DeltaEntry::Tracked(entry),
            });
        }
        Delta { removed, entries }
    }

    fn access(&mut self, access: Access) {
        let Access { id, at } = access;
        let Some(known) = self.entries.get_mut(id) else { return };
        known.hits = known.hits.saturating_add(1);
        known.accessed_at = at;
        self.skip(id);
        self.entries.renew(&mut self.by_use, id);
        self.next = self.next.or(Some(id));
    }

    /// Called when an entry leaves its position. If the entry is the next one to deliver, the one after it is next instead.
    fn skip(&mut self, id: u64) {
        if self.next == Some(id) {
            self.next = self.entries.newer(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64) -> Entry {
        Entry::new(id, id + 100, 1)
    }

    fn filled(len: u64) -> ResidencyLog {
        let mut residency = ResidencyLog::new();
        residency.restore(&(0..len).map(entry).collect::<Vec<_>>());
        residency
    }

    fn accessed(ids: &[u64]) -> Vec<Event> {
        ids.iter().map(|id| Event::Accessed(Access { id: *id, at: 7 })).collect()
    }

    /// A delta in short form: removed ids, then entries. Entries that were delivered before are in brackets.
    fn read(delta: &Delta) -> String {
        let removed = delta.removed.iter().map(|id| format!("-{id} "));
        let entries = delta.entries.iter().map(|entry| match entry {
            DeltaEntry::Tracked(entry) => format!("{} ", entry.id),
            DeltaEntry::Accessed(access) => format!("({}) ", access.id),
        });
        removed.chain(entries).collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn deltas_list_every_entry_from_coldest_to_hottest() {
        let mut residency = filled(5);
        residency.observe(&accessed(&[1, 1]));
        residency.subscribe();
        assert_eq!(read(&residency.delta(3)), "0 2 3");
        assert_eq!(read(&residency.delta(3)), "4 1");
        assert_eq!(read(&residency.delta(3)), "");
        residency.subscribe();
        let delta = residency.delta(9);
        assert_eq!(delta.entries[4], DeltaEntry::Tracked(Entry { hits: 2, accessed_at: 7, ..Entry::new(1, 101, 1) }));
    }

    #[test]
    fn entries_used_between_deltas_are_in_a_later_delta() {
        let mut residency = filled(4);
        residency.subscribe();
        assert_eq!(read(&residency.delta(2)), "0 1");
        residency.observe(&accessed(&[0, 2]));
        assert_eq!(read(&residency.delta(9)), "3 (0) 2");
        residency.observe(&accessed(&[3]));
        residency.insert(entry(9));
        assert_eq!(read(&residency.delta(9)), "(3) 9");
    }

    #[test]
    fn entry_removed_between_deltas_is_reported_once_if_it_was_delivered() {
        let mut residency = filled(4);
        residency.subscribe();
        residency.delta(2);
        assert!(residency.remove(1));
        assert!(residency.remove(2));
        assert!(!residency.remove(2));
        residency.insert(entry(1));
        assert_eq!(read(&residency.delta(9)), "-1 3 1", "2 was never delivered; the second 1 is another entry");
        assert_eq!(residency.len(), 3);
    }

    #[test]
    fn log_without_a_subscriber_records_no_removals() {
        let mut residency = filled(4);
        residency.subscribe();
        residency.delta(4);
        residency.unsubscribe();
        residency.remove(0);
        residency.subscribe();
        assert_eq!(read(&residency.delta(9)), "1 2 3");
    }

    #[test]
    fn events_for_unknown_ids_are_ignored() {
        let mut residency = filled(1);
        residency.observe(&accessed(&[5, u64::MAX]));
        residency.observe(&[Event::Removed(5), Event::Removed(u64::MAX)]);
        assert_eq!(residency.len(), 1);
    }
}
