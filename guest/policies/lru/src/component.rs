//! The glue between the WIT and the algorithm.

use std::cell::RefCell;

use crate::bindings::exports::media_cache::cache::eviction::{
    Description, Entry, EntryId, Event, Guest, GuestPolicy, Placement, Policy,
};
use crate::lru::Lru;

struct Component;

/// One ranking.
struct Ranking {
    lru: RefCell<Lru>,
    capacity: u64,
}

impl Guest for Component {
    type Policy = Ranking;

    fn describe() -> Description {
        Description {
            name: "lru".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            doc: "Least recently used: whatever was not asked for the longest goes first.".into(),
            options: Vec::new(),
        }
    }
}

impl GuestPolicy for Ranking {
    fn create(capacity: u64, options: Vec<(String, String)>) -> Result<Policy, String> {
        match options.first() {
            Some((name, _)) => Err(format!("lru has no option {name:?}; it has none at all")),
            None => Ok(Policy::new(Self { lru: RefCell::default(), capacity })),
        }
    }

    fn restore(&self, entries: Vec<Entry>) {
        let mut lru = self.lru.borrow_mut();
        for entry in entries {
            lru.insert(entry.id, entry.size);
        }
    }

    fn observe(&self, events: Vec<Event>) {
        let mut lru = self.lru.borrow_mut();
        for event in events {
            match event {
                Event::Accessed(access) => lru.touch(access.id),
                Event::Removed(id) => lru.remove(id),
            }
        }
    }

    fn place(&self, events: Vec<Event>, candidate: Entry, needed: u64) -> Placement {
        self.observe(events);
        if candidate.size > self.capacity {
            return Placement::Refuse;
        }
        let mut lru = self.lru.borrow_mut();
        let victims = lru.evict(needed);
        lru.insert(candidate.id, candidate.size);
        Placement::Admit(victims)
    }

    fn evict(&self, events: Vec<Event>, needed: u64) -> Vec<EntryId> {
        self.observe(events);
        self.lru.borrow_mut().evict(needed)
    }
}

crate::bindings::export!(Component with_types_in crate::bindings);
