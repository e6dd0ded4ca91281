//! What a policy is told and asked for one tier, and what becomes of its answers.
//!
//! Events are collected and handed over in batches, before the next decision at the latest. An answer is checked by carrying it out:
//! the tier gives up one id at a time, and an id that it does not know, or that it gave up just before, is counted and ignored. What
//! is then still missing, the tier takes from its least recently used entries. So a limit holds whatever a policy says.

use crate::bindings::media_cache::cache::eviction::{self, Access, Entry, EntryId, Event, Placement};

/// How many events are collected at most before they are handed over.
const BATCH: usize = 1024;

/// A policy. That of the host is a resource; tests have their own.
pub trait Policy {
    /// See `eviction.policy.restore` in the WIT, as for the others.
    fn restore(&self, entries: &[Entry]);
    #[allow(missing_docs, reason = "documented in wit/eviction.wit")]
    fn observe(&self, events: &[Event]);
    #[allow(missing_docs, reason = "documented in wit/eviction.wit")]
    fn place(&self, events: &[Event], candidate: Entry, needed: u64) -> Placement;
    #[allow(missing_docs, reason = "documented in wit/eviction.wit")]
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

/// What a tier does when it is to give up an entry.
pub enum GivenUp {
    /// It is gone, and this much is free.
    Freed(u64),
    /// It stays for now.
    Kept(Entry),
    /// There is no such entry.
    Unknown,
}

/// The entries of a tier, as far as evicting them goes.
pub trait Tier {
    /// Gives up an entry.
    fn give_up(&mut self, id: EntryId) -> GivenUp;

    /// The least recently used entry that can be given up.
    fn coldest(&self) -> Option<EntryId>;
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has its place.
    Admitted,
    /// The policy did not want it.
    Refused,
    /// There is no room, and nothing that could be given up.
    NoRoom,
}

/// The ranking of one tier.
pub struct Ranking<P> {
    policy: Option<P>,
    events: Vec<Event>,
    /// Ids in answers that were ignored.
    pub rejected: u64,
    /// Entries evicted because the policy named too few.
    pub shortfalls: u64,
}

impl<P: Policy> Ranking<P> {
    /// A ranking by `policy`, or by use alone where there is none.
    pub fn new(policy: Option<P>) -> Self {
        Self { policy, events: Vec::new(), rejected: 0, shortfalls: 0 }
    }

    /// An entry was asked for.
    pub fn accessed(&mut self, id: EntryId, at: u64) {
        self.tell(Event::Accessed(Access { id, at }));
    }

    /// An entry is gone for a reason of its own.
    pub fn removed(&mut self, id: EntryId) {
        self.tell(Event::Removed(id));
    }

    /// Entries are there without having been placed. The coldest first.
    pub fn restored(&mut self, entries: &[Entry]) {
        self.hand_over();
        if let Some(policy) = &self.policy {
            policy.restore(entries);
        }
    }

    /// Asks for a place for `candidate`, which `tier` does not hold yet. Where it is admitted, at least `needed` has been given up.
    pub fn place(&mut self, candidate: Entry, needed: u64, tier: &mut impl Tier) -> Verdict {
        let id = candidate.id;
        let events = std::mem::take(&mut self.events);
        let placement = match &self.policy {
            Some(policy) => policy.place(&events, candidate, needed),
            None => Placement::Admit(Vec::new()),
        };
        let Placement::Admit(victims) = placement else { return Verdict::Refused };
        if victims.contains(&id) {
            let others = victims.into_iter().filter(|victim| *victim != id);
            self.carry_out(others, tier);
            return Verdict::Refused;
        }
        let freed = self.carry_out(victims.into_iter(), tier);
        if self.make_up(needed.saturating_sub(freed), tier) {
            Verdict::Admitted
        } else {
            self.removed(id);
            Verdict::NoRoom
        }
    }

    /// Makes `tier` give up at least `needed`. False where it could not.
    pub fn evict(&mut self, needed: u64, tier: &mut impl Tier) -> bool {
        let events = std::mem::take(&mut self.events);
        let victims = match &self.policy {
            Some(policy) => policy.evict(&events, needed),
            None => Vec::new(),
        };
        let freed = self.carry_out(victims.into_iter(), tier);
        self.make_up(needed.saturating_sub(freed), tier)
    }

    /// Hands over what was collected.
    pub fn hand_over(&mut self) {
        let events = std::mem::take(&mut self.events);
        if let Some(policy) = self.policy.as_ref().filter(|_| !events.is_empty()) {
            policy.observe(&events);
        }
    }

    fn tell(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() >= BATCH {
            self.hand_over();
        }
    }

    /// Gives up the victims that a policy named, and says how much that freed.
    fn carry_out(&mut self, victims: impl Iterator<Item = EntryId>, tier: &mut impl Tier) -> u64 {
        let mut freed = 0u64;
        let mut kept = Vec::new();
        for victim in victims {
            match tier.give_up(victim) {
                GivenUp::Freed(size) => freed = freed.saturating_add(size),
                GivenUp::Kept(entry) if !kept.iter().any(|other: &Entry| other.id == entry.id) => kept.push(entry),
                GivenUp::Kept(_) => self.rejected += 1,
                GivenUp::Unknown => self.rejected += 1,
            }
        }
        if !kept.is_empty() {
            self.restored(&kept);
        }
        freed
    }

    /// Gives up the least recently used entries until `missing` is free.
    fn make_up(&mut self, mut missing: u64, tier: &mut impl Tier) -> bool {
        while missing > 0 {
            let Some(id) = tier.coldest() else { return false };
            let GivenUp::Freed(size) = tier.give_up(id) else { return false };
            self.removed(id);
            self.shortfalls += 1;
            missing = missing.saturating_sub(size);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Says what it was told to say, and writes down what it hears.
    #[derive(Clone, Default)]
    struct Scripted {
        heard: Rc<RefCell<Vec<String>>>,
        answer: Rc<RefCell<Option<Placement>>>,
    }

    impl Scripted {
        fn answers(&self, placement: Placement) {
            *self.answer.borrow_mut() = Some(placement);
        }

        fn heard(&self) -> Vec<String> {
            std::mem::take(&mut self.heard.borrow_mut())
        }

        fn hear(&self, call: &str, events: &[Event]) {
            let events = events.iter().map(|event| match event {
                Event::Accessed(access) => format!("+{}", access.id),
                Event::Removed(id) => format!("-{id}"),
            });
            self.heard.borrow_mut().push(format!("{call}{}", events.collect::<String>()));
        }
    }

    impl Policy for Scripted {
        fn restore(&self, entries: &[Entry]) {
            self.heard.borrow_mut().push(format!("restore{:?}", entries.iter().map(|e| e.id).collect::<Vec<_>>()));
        }
        fn observe(&self, events: &[Event]) {
            self.hear("observe", events);
        }
        fn place(&self, events: &[Event], candidate: Entry, needed: u64) -> Placement {
            self.hear(&format!("place({},{needed})", candidate.id), events);
            self.answer.borrow_mut().take().unwrap()
        }
        fn evict(&self, events: &[Event], needed: u64) -> Vec<EntryId> {
            self.hear(&format!("evict({needed})"), events);
            match self.answer.borrow_mut().take().unwrap() {
                Placement::Admit(victims) => victims,
                Placement::Refuse => Vec::new(),
            }
        }
    }

    /// Entries of size 10, the coldest first; those from 100 cannot be given up.
    struct Shelf(Vec<EntryId>);

    impl Tier for Shelf {
        fn give_up(&mut self, id: EntryId) -> GivenUp {
            match self.0.iter().position(|e| *e == id) {
                Some(_) if id >= 100 => GivenUp::Kept(entry(id)),
                Some(at) => {
                    self.0.remove(at);
                    GivenUp::Freed(10)
                }
                None => GivenUp::Unknown,
            }
        }
        fn coldest(&self) -> Option<EntryId> {
            self.0.iter().copied().find(|id| *id < 100)
        }
    }

    fn entry(id: EntryId) -> Entry {
        Entry { id, fingerprint: id, size: 10, hits: 0, accessed_at: 0 }
    }

    fn ranking() -> (Scripted, Ranking<Scripted>) {
        let policy = Scripted::default();
        (policy.clone(), Ranking::new(Some(policy)))
    }

    #[test]
    fn what_happened_is_told_with_the_next_decision_and_once() {
        let (policy, mut ranking) = ranking();
        ranking.accessed(1, 5);
        ranking.removed(2);
        policy.answers(Placement::Admit(vec![]));
        assert_eq!(ranking.place(entry(3), 0, &mut Shelf(vec![1])), Verdict::Admitted);
        policy.answers(Placement::Admit(vec![1]));
        assert!(ranking.evict(10, &mut Shelf(vec![1, 3])));
        assert_eq!(policy.heard(), ["place(3,0)+1-2", "evict(10)"]);
    }

    #[test]
    fn a_full_batch_is_told_at_once() {
        let (policy, mut ranking) = ranking();
        (0..BATCH as u64 + 1).for_each(|_| ranking.accessed(1, 0));
        assert_eq!(policy.heard().len(), 1);
        ranking.hand_over();
        ranking.hand_over();
        assert_eq!(policy.heard(), ["observe+1"]);
    }

    #[test]
    fn unknown_and_repeated_ids_are_ignored_and_made_up_for() {
        let (policy, mut ranking) = ranking();
        let mut shelf = Shelf(vec![1, 2, 3]);
        policy.answers(Placement::Admit(vec![2, 2, 77, u64::MAX]));
        assert_eq!(ranking.place(entry(4), 20, &mut shelf), Verdict::Admitted);
        assert_eq!((ranking.rejected, ranking.shortfalls), (3, 1));
        assert_eq!(shelf.0, [3], "2 was named, 1 was the coldest");
        ranking.hand_over();
        assert_eq!(policy.heard(), ["place(4,20)", "observe-1"]);
    }

    #[test]
    fn a_candidate_among_the_victims_is_not_kept_and_the_others_go() {
        let (policy, mut ranking) = ranking();
        let mut shelf = Shelf(vec![1, 2]);
        policy.answers(Placement::Admit(vec![1, 4]));
        assert_eq!(ranking.place(entry(4), 20, &mut shelf), Verdict::Refused);
        assert_eq!((shelf.0, ranking.rejected), (vec![2], 0));
    }

    #[test]
    fn a_refusal_evicts_nothing() {
        let (policy, mut ranking) = ranking();
        let mut shelf = Shelf(vec![1]);
        policy.answers(Placement::Refuse);
        assert_eq!(ranking.place(entry(4), 10, &mut shelf), Verdict::Refused);
        assert_eq!(shelf.0, [1]);
    }

    #[test]
    fn a_victim_that_stays_is_restored_and_another_goes() {
        let (policy, mut ranking) = ranking();
        let mut shelf = Shelf(vec![100, 1, 2]);
        policy.answers(Placement::Admit(vec![100]));
        assert_eq!(ranking.place(entry(4), 10, &mut shelf), Verdict::Admitted);
        assert_eq!(shelf.0, [100, 2]);
        assert_eq!(policy.heard(), ["place(4,10)", "restore[100]"]);
        assert_eq!((ranking.rejected, ranking.shortfalls), (0, 1));
    }

    #[test]
    fn a_candidate_without_room_is_taken_back() {
        let (policy, mut ranking) = ranking();
        policy.answers(Placement::Admit(vec![]));
        assert_eq!(ranking.place(entry(4), 10, &mut Shelf(vec![100])), Verdict::NoRoom);
        ranking.hand_over();
        assert_eq!(policy.heard(), ["place(4,10)", "observe-4"]);
    }

    #[test]
    fn without_a_policy_the_least_recently_used_go() {
        let mut ranking: Ranking<Scripted> = Ranking::new(None);
        let mut shelf = Shelf(vec![1, 2, 3]);
        assert_eq!(ranking.place(entry(4), 15, &mut shelf), Verdict::Admitted);
        assert_eq!(shelf.0, [3]);
        assert!(!ranking.evict(11, &mut shelf));
    }
}
