//! The policy as the tiers call it: the host's resource in the component, and a scripted policy in tests.

use crate::bindings::media_cache::policy::eviction::{self, Entry, EntryId, Event, Placement};

/// The interface `eviction.policy` of the WIT, which documents its methods.
#[allow(missing_docs, reason = "documented in the WIT")]
pub trait Policy {
    fn restore(&self, entries: &[Entry]);
    fn observe(&self, events: &[Event]);
    fn place(&self, events: &[Event], candidate: Entry, needed: u64) -> Placement;
    fn evict(&self, events: &[Event], needed: u64) -> Vec<EntryId>;
}

impl Policy for eviction::Policy {
    fn restore(&self, entries: &[Entry]) {
        self.restore(entries);
    }

    fn observe(&self, events: &[Event]) {
        self.observe(events);
    }

    fn place(&self, events: &[Event], candidate: Entry, needed: u64) -> Placement {
        self.place(events, candidate, needed)
    }

    fn evict(&self, events: &[Event], needed: u64) -> Vec<EntryId> {
        self.evict(events, needed)
    }
}
