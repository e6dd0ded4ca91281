//! Evicts from one tier: reports events to its policy, asks for decisions, and checks the answers.
//!
//! Events are collected and reported in batches, at the latest before the next decision. An answer is checked by executing it: the tier
//! evicts one id at a time, and an id that it does not have, or has just evicted, is counted and ignored. If that does not free enough, the
//! tier evicts its least recently used entries. The limit therefore holds regardless of the policy's answers.

use crate::bindings::media_cache::policy::eviction::{Access, Entry, EntryId, Event, Placement};
use crate::policy::Policy;

/// The number of collected events at which they are reported without waiting for a decision.
const BATCH: usize = 1024;

/// The outcome of evicting an entry.
pub enum Eviction {
    /// The entry was evicted, which freed this much space.
    Freed(u64),
    /// The entry cannot be evicted now.
    InUse(Entry),
    /// There is no such entry.
    Unknown,
}

/// The entries of a tier that can be evicted.
pub trait TierEntries {
    /// Evicts an entry.
    fn evict(&mut self, id: EntryId) -> Eviction;

    /// The least recently used entry that can be evicted.
    fn coldest(&self) -> Option<EntryId>;
}

/// The decision on a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is space for it.
    Admitted,
    /// The policy refused it.
    Refused,
    /// There is not enough space, and nothing left to evict.
    NoSpace,
}

/// The policy of one tier, with the events that have not been reported to it yet.
pub struct EvictionTier<P> {
    policy: Option<P>,
    events: Vec<Event>,
    /// The number of ids in answers that were ignored.
    pub rejected: u64,
    /// The number of entries that were evicted because the policy named too few.
    pub shortfalls: u64,
}

impl<P: Policy> EvictionTier<P> {
    /// A tier with this policy, or with LRU if there is none.
    pub fn new(policy: Option<P>) -> Self {
        Self { policy, events: Vec::new(), rejected: 0, shortfalls: 0 }
    }

    /// Records a request for a tracked entry.
    pub fn accessed(&mut self, id: EntryId, at: u64) {
        self.record(Event::Accessed(Access { id, at }));
    }

    /// Records that an entry is no longer tracked, for a reason other than a decision of the policy.
    pub fn removed(&mut self, id: EntryId) {
        self.record(Event::Removed(id));
    }

    /// Starts tracking entries that need no decision, coldest first.
    pub fn restore(&mut self, entries: &[Entry]) {
        self.flush();
        if let Some(policy) = &self.policy {
            policy.restore(entries);
        }
    }

    /// Decides on `candidate`, which is not tracked yet. If it is admitted, at least `needed` has been freed.
    pub fn place(&mut self, candidate: Entry, needed: u64, tier: &mut impl TierEntries) -> Verdict {
        let id = candidate.id;
        let events = std::mem::take(&mut self.events);
        let placement = match &self.policy {
            Some(policy) => policy.place(&events, candidate, needed),
            None => Placement::Admit(Vec::new()),
        };
        let Placement::Admit(victims) = placement else { return Verdict::Refused };
        if victims.contains(&id) {
            let others = victims.into_iter().filter(|victim| *victim != id);
            self.evict_victims(others, tier);
            return Verdict::Refused;
        }
        let freed = self.evict_victims(victims.into_iter(), tier);
        if self.evict_coldest(needed.saturating_sub(freed), tier) {
            Verdict::Admitted
        } else {
            self.removed(id);
            Verdict::NoSpace
        }
    }

    /// Evicts entries until at least `needed` is free. Returns whether that succeeded.
    pub fn evict(&mut self, needed: u64, tier: &mut impl TierEntries) -> bool {
        let events = std::mem::take(&mut self.events);
        let victims = match &self.policy {
            Some(policy) => policy.evict(&events, needed),
            None => Vec::new(),
        };
        let freed = self.evict_victims(victims.into_iter(), tier);
        self.evict_coldest(needed.saturating_sub(freed), tier)
    }

    /// Reports the collected events.
    pub fn flush(&mut self) {
        let events = std::mem::take(&mut self.events);
        if let Some(policy) = self.policy.as_ref().filter(|_| !events.is_empty()) {
            policy.observe(&events);
        }
    }

    fn record(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() >= BATCH {
            self.flush();
        }
    }

    /// Evicts the victims that a policy named. Returns how much space that freed.
    fn evict_victims(&mut self, victims: impl Iterator<Item = EntryId>, tier: &mut impl TierEntries) -> u64 {
        let mut freed = 0u64;
        let mut in_use = Vec::new();
        for victim in victims {
            match tier.evict(victim) {
                Eviction::Freed(size) => freed = freed.saturating_add(size),
                Eviction::InUse(entry) if !in_use.iter().any(|other: &Entry| other.id == entry.id) => in_use.push(entry),
                Eviction::InUse(_) | Eviction::Unknown => self.rejected += 1,
            }
        }
        if !in_use.is_empty() {
            self.restore(&in_use);
        }
        freed
    }

    /// Evicts the least recently used entries until `missing` is free.
    fn evict_coldest(&mut self, mut missing: u64, tier: &mut impl TierEntries) -> bool {
        while missing > 0 {
            let Some(id) = tier.coldest() else { return false };
            let Eviction::Freed(size) = tier.evict(id) else { return false };
            self.removed(id);
            self.shortfalls += 1;
            missing = missing.saturating_sub(size);
        }
        true
    }
}

#[cfg(test)]
mod tests;
