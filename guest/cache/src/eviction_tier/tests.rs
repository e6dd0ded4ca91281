use super::*;
use crate::bindings::media_cache::policy::eviction::MediaKind;
use std::cell::RefCell;
use std::rc::Rc;

/// Gives scripted answers and records the calls.
#[derive(Clone, Default)]
struct ScriptedPolicy {
    calls: Rc<RefCell<Vec<String>>>,
    answer: Rc<RefCell<Option<Placement>>>,
}

impl ScriptedPolicy {
    fn answers(&self, placement: Placement) {
        *self.answer.borrow_mut() = Some(placement);
    }

    fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.borrow_mut())
    }

    fn note(&self, call: &str, events: &[Event]) {
        let events = events.iter().map(|event| match event {
            Event::Accessed(access) => format!("+{}", access.id),
            Event::Removed(id) => format!("-{id}"),
        });
        self.calls.borrow_mut().push(format!("{call}{}", events.collect::<String>()));
    }
}

impl Policy for ScriptedPolicy {
    fn restore(&self, entries: &[Entry]) {
        self.calls.borrow_mut().push(format!("restore{:?}", entries.iter().map(|e| e.id).collect::<Vec<_>>()));
    }
    fn observe(&self, events: &[Event]) {
        self.note("observe", events);
    }
    fn place(&self, events: &[Event], candidate: Entry, needed: u64) -> Placement {
        self.note(&format!("place({},{needed})", candidate.id), events);
        self.answer.borrow_mut().take().unwrap()
    }
    fn evict(&self, events: &[Event], needed: u64) -> Vec<EntryId> {
        self.note(&format!("evict({needed})"), events);
        match self.answer.borrow_mut().take().unwrap() {
            Placement::Admit(victims) => victims,
            Placement::Refuse => Vec::new(),
        }
    }
}

/// Entries of size 10, coldest first. Entries with ids of 100 or more are in use.
struct Entries(Vec<EntryId>);

impl TierEntries for Entries {
    fn evict(&mut self, id: EntryId) -> Eviction {
        match self.0.iter().position(|e| *e == id) {
            Some(_) if id >= 100 => Eviction::InUse(entry(id)),
            Some(at) => {
                self.0.remove(at);
                Eviction::Freed(10)
            }
            None => Eviction::Unknown,
        }
    }
    fn coldest(&self) -> Option<EntryId> {
        self.0.iter().copied().find(|id| *id < 100)
    }
}

fn entry(id: EntryId) -> Entry {
    Entry { id, fingerprint: id, size: 10, hits: 0, accessed_at: 0, cost: 0, waiters: 0, kind: MediaKind::Image }
}

fn tier() -> (ScriptedPolicy, EvictionTier<ScriptedPolicy>) {
    let policy = ScriptedPolicy::default();
    (policy.clone(), EvictionTier::new(Some(policy)))
}

#[test]
fn events_are_reported_once_with_the_next_decision() {
    let (policy, mut tier) = tier();
    tier.accessed(1, 5);
    tier.removed(2);
    policy.answers(Placement::Admit(vec![]));
    assert_eq!(tier.place(entry(3), 0, &mut Entries(vec![1])), Verdict::Admitted);
    policy.answers(Placement::Admit(vec![1]));
    assert!(tier.evict(10, &mut Entries(vec![1, 3])));
    assert_eq!(policy.take_calls(), ["place(3,0)+1-2", "evict(10)"]);
}

#[test]
fn full_batch_of_events_is_reported_immediately() {
    let (policy, mut tier) = tier();
    (0..BATCH as u64 + 1).for_each(|_| tier.accessed(1, 0));
    assert_eq!(policy.take_calls().len(), 1);
    tier.flush();
    tier.flush();
    assert_eq!(policy.take_calls(), ["observe+1"]);
}

#[test]
fn unknown_and_repeated_ids_are_ignored_and_the_coldest_entry_is_evicted_instead() {
    let (policy, mut tier) = tier();
    let mut entries = Entries(vec![1, 2, 3]);
    policy.answers(Placement::Admit(vec![2, 2, 77, u64::MAX]));
    assert_eq!(tier.place(entry(4), 20, &mut entries), Verdict::Admitted);
    assert_eq!((tier.rejected, tier.shortfalls), (3, 1));
    assert_eq!(entries.0, [3], "2 was named, 1 was the coldest");
    tier.flush();
    assert_eq!(policy.take_calls(), ["place(4,20)", "observe-1"]);
}

#[test]
fn a_candidate_among_the_victims_is_not_kept_and_the_others_are_evicted() {
    let (policy, mut tier) = tier();
    let mut entries = Entries(vec![1, 2]);
    policy.answers(Placement::Admit(vec![1, 4]));
    assert_eq!(tier.place(entry(4), 20, &mut entries), Verdict::Refused);
    assert_eq!((entries.0, tier.rejected), (vec![2], 0));
}

#[test]
fn a_refusal_evicts_nothing() {
    let (policy, mut tier) = tier();
    let mut entries = Entries(vec![1]);
    policy.answers(Placement::Refuse);
    assert_eq!(tier.place(entry(4), 10, &mut entries), Verdict::Refused);
    assert_eq!(entries.0, [1]);
}

#[test]
fn a_victim_in_use_is_restored_and_another_entry_is_evicted() {
    let (policy, mut tier) = tier();
    let mut entries = Entries(vec![100, 1, 2]);
    policy.answers(Placement::Admit(vec![100]));
    assert_eq!(tier.place(entry(4), 10, &mut entries), Verdict::Admitted);
    assert_eq!(entries.0, [100, 2]);
    assert_eq!(policy.take_calls(), ["place(4,10)", "restore[100]"]);
    assert_eq!((tier.rejected, tier.shortfalls), (0, 1));
}

#[test]
fn a_candidate_for_which_there_is_no_space_is_reported_as_removed() {
    let (policy, mut tier) = tier();
    policy.answers(Placement::Admit(vec![]));
    assert_eq!(tier.place(entry(4), 10, &mut Entries(vec![100])), Verdict::NoSpace);
    tier.flush();
    assert_eq!(policy.take_calls(), ["place(4,10)", "observe-4"]);
}

#[test]
fn without_a_policy_the_least_recently_used_entries_are_evicted() {
    let mut tier: EvictionTier<ScriptedPolicy> = EvictionTier::new(None);
    let mut entries = Entries(vec![1, 2, 3]);
    assert_eq!(tier.place(entry(4), 15, &mut entries), Verdict::Admitted);
    assert_eq!(entries.0, [3]);
    assert!(!tier.evict(11, &mut entries));
}
