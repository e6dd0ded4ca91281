//! The policy that a cache calls. `fallback` handles its faults, and `swap` replaces it.
//!
//! A policy that traps or exceeds a limit is disabled, and the built-in LRU takes over in the same call, seeded with all tracked entries.
//! If the LRU fails too, every candidate is admitted and no victims are named. The cache makes up for missing victims using its own order
//! of use, and so continues as a plain LRU. No request fails because of this.

use std::sync::Arc;
use std::time::Instant;

use crate::policy::active_policy::ActivePolicy;
use crate::policy::engine::PolicyEngine;
use crate::policy::fault::PolicyFault;
use crate::policy::instance::{CreateError, PolicyHandle, PolicyInstance};
use crate::policy::record::{PolicyStatus, Record};
use crate::policy::request_observer::Observed;
use crate::policy::residency_log::ResidencyLog;
use crate::policy::sandbox::PolicyLimits;
use crate::policy::tier_handle::TierHandle;
use crate::policy::types::{Description, Entry, Event, Placement};

/// The policy of a cache.
pub(crate) struct PolicySlot {
    pub(super) engine: PolicyEngine,
    pub(super) limits: PolicyLimits,
    pub(super) record: Arc<Record>,
    /// `None` if even the built-in LRU has failed.
    pub(super) active: Option<ActivePolicy>,
    pub(super) tiers: Vec<Option<TierState>>,
    /// The number of swaps that have begun. It also identifies the current swap.
    pub(super) swap: u64,
    pub(super) swapping: bool,
    observed: Observed,
}

/// The state of a tier.
pub(super) struct TierState {
    pub capacity: u64,
    pub residency: ResidencyLog,
}

impl PolicySlot {
    /// Starts the policy in `record`, or the built-in LRU if that policy no longer works.
    pub fn new(engine: PolicyEngine, limits: PolicyLimits, record: Arc<Record>) -> Self {
        let started = PolicyInstance::new(&engine, &record.choice().component, limits);
        let mut slot = Self {
            engine,
            limits,
            record,
            active: None,
            tiers: Vec::new(),
            swap: 0,
            swapping: false,
            observed: Observed::default(),
        };
        match started {
            Ok(instance) => slot.active = Some(ActivePolicy::of(slot.record.choice(), instance)),
            Err(fault) => slot.fall_back(&fault),
        }
        slot
    }

    /// Passes the requests that the policy is informed of to an observer as well.
    pub fn with_observer(self, observed: Observed) -> Self {
        Self { observed, ..self }
    }

    /// The status of the policy.
    pub fn status(&self) -> PolicyStatus {
        self.record.status()
    }

    pub fn describe(&self) -> Description {
        let nothing = || Description { name: String::new(), version: String::new(), doc: String::new(), options: Vec::new() };
        self.active.as_ref().map_or_else(nothing, |active| active.instance.description().clone())
    }

    /// Creates a tier, with the options that are configured for the policy.
    pub fn create(&mut self, capacity: u64) -> Result<TierHandle, String> {
        // A policy that is about to take over would lack this tier, so this ends the swap. Caches create their tiers when they start.
        self.swapping = false;
        let number = self.tiers.iter().position(Option::is_none).unwrap_or(self.tiers.len());
        if number == self.tiers.len() {
            self.tiers.push(None);
        }
        while let Some(active) = &mut self.active {
            match active.create(number, capacity) {
                Ok(()) => break,
                Err(CreateError::Options(why)) => return Err(why),
                Err(CreateError::Fault(fault)) => self.fall_back(&fault),
            }
        }
        self.tiers[number] = Some(TierState { capacity, residency: ResidencyLog::new() });
        Ok(TierHandle(number))
    }

    pub fn restore(&mut self, handle: &TierHandle, entries: &[Entry]) {
        if let Some((tier, observed)) = self.observed_tier(handle) {
            tier.residency.restore(entries);
            observed.restored(tier.capacity, &tier.residency, entries);
            // If the LRU takes over here, it is seeded from the residency log, which already contains these entries.
            self.inform(handle, |policy, tier| policy.restore(tier, entries));
        }
    }

    pub fn observe(&mut self, handle: &TierHandle, events: &[Event]) {
        if let Some((tier, observed)) = self.observed_tier(handle) {
            observed.called(tier.capacity, &tier.residency, events, None);
            tier.residency.observe(events);
            self.inform(handle, |policy, tier| policy.observe(tier, events));
        }
    }

    pub fn place(&mut self, handle: &TierHandle, events: &[Event], candidate: Entry, needed: u64) -> Placement {
        let Some((tier, observed)) = self.observed_tier(handle) else { return Placement::Refuse };
        observed.called(tier.capacity, &tier.residency, events, Some(&candidate));
        tier.residency.observe(events);
        let resident = tier.residency.len();
        let placement = self.decide(handle, events, |policy, tier, events| {
            let placement = policy.place(tier, events, candidate, needed)?;
            match &placement {
                Placement::Admit(victims) => check_number(victims.len(), resident + 1)?,
                Placement::Refuse => {}
            }
            Ok(placement)
        });
        let placement = placement.unwrap_or(Placement::Admit(Vec::new()));
        if let (Some(tier), Placement::Admit(victims)) = (self.tier(handle), &placement) {
            tier.residency.insert(candidate);
            self.untrack(handle, victims);
        }
        placement
    }

    pub fn evict(&mut self, handle: &TierHandle, events: &[Event], needed: u64) -> Vec<u64> {
        let Some((tier, observed)) = self.observed_tier(handle) else { return Vec::new() };
        observed.called(tier.capacity, &tier.residency, events, None);
        tier.residency.observe(events);
        let resident = tier.residency.len();
        let victims = self.decide(handle, events, |policy, tier, events| {
            let victims = policy.evict(tier, events, needed)?;
            check_number(victims.len(), resident)?;
            Ok(victims)
        });
        let victims = victims.unwrap_or_default();
        self.untrack(handle, &victims);
        victims
    }

    pub fn drop_tier(&mut self, handle: TierHandle) {
        if let Some(tier) = self.tiers.get_mut(handle.0) {
            *tier = None;
        }
        if let Some(Err(fault)) = self.active.as_mut().map(|active| active.forget(handle.0)) {
            self.fall_back(&fault);
        }
    }

    fn tier(&mut self, handle: &TierHandle) -> Option<&mut TierState> {
        self.tiers.get_mut(handle.0)?.as_mut()
    }

    /// A tier, and the observer of its requests.
    fn observed_tier(&mut self, handle: &TierHandle) -> Option<(&mut TierState, &mut Observed)> {
        Some((self.tiers.get_mut(handle.0)?.as_mut()?, &mut self.observed))
    }

    /// Removes victims from the residency log, and counts the ids that are not tracked.
    fn untrack(&mut self, handle: &TierHandle, victims: &[u64]) {
        let Some(tier) = self.tier(handle) else { return };
        let rejected = victims.iter().map(|victim| u64::from(!tier.residency.remove(*victim))).sum();
        self.record.rejected(rejected);
    }

    /// Informs the policy. If it faults, the LRU that takes over already has the information.
    fn inform(&mut self, handle: &TierHandle, call: impl FnOnce(&mut PolicyInstance, &PolicyHandle) -> Result<(), PolicyFault>) {
        if let Some(Err(fault)) = self.call(handle, call) {
            self.fall_back(&fault);
        }
    }

    /// Asks the policy for a decision. If it faults, the LRU that takes over decides.
    fn decide<T>(
        &mut self,
        handle: &TierHandle,
        mut events: &[Event],
        ask: impl Fn(&mut PolicyInstance, &PolicyHandle, &[Event]) -> Result<T, PolicyFault>,
    ) -> Option<T> {
        loop {
            match self.call(handle, |policy, tier| ask(policy, tier, events))? {
                Ok(decision) => return Some(decision),
                Err(fault) => self.fall_back(&fault),
            }
            events = &[];
        }
    }

    fn call<T>(
        &mut self,
        handle: &TierHandle,
        call: impl FnOnce(&mut PolicyInstance, &PolicyHandle) -> Result<T, PolicyFault>,
    ) -> Option<Result<T, PolicyFault>> {
        let (policy, tier) = self.active.as_mut()?.tier(handle.0)?;
        let started = Instant::now();
        let result = call(policy, tier);
        self.record.called(started.elapsed(), policy.memory_bytes());
        Some(result)
    }
}

fn check_number(named: usize, tracked: usize) -> Result<(), PolicyFault> {
    if named <= tracked { Ok(()) } else { Err(PolicyFault::TooManyVictims { named, tracked }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::component::PolicyOrigin;
    use crate::policy::sandbox::processor_time;
    use crate::policy::spec::PolicyChoice;
    use crate::policy::swap::SwapStart;
    use crate::policy::swap_error::SwapError;
    use crate::policy::types::Access;
    use media_cache_components as embedded;
    use media_cache_test_components as components;
    use std::sync::LazyLock;
    use std::time::Duration;

    static ENGINE: LazyLock<PolicyEngine> = LazyLock::new(|| PolicyEngine::new().unwrap());
    const LIMITS: PolicyLimits = PolicyLimits { memory_bytes: 16 << 20, call_time: Duration::from_millis(50) };

    fn choice(component: &[u8]) -> PolicyChoice {
        ENGINE.compile(PolicyOrigin::Upload, component).unwrap().into()
    }

    fn slot(choice: PolicyChoice) -> PolicySlot {
        let description = Description { name: "chosen".into(), version: String::new(), doc: String::new(), options: Vec::new() };
        PolicySlot::new(ENGINE.clone(), LIMITS, Arc::new(Record::new(choice, description)))
    }

    fn active(choice: PolicyChoice, outline: &SwapStart) -> ActivePolicy {
        let tiers = outline.tiers.iter().map(|(number, capacity, _)| (*number, *capacity));
        ActivePolicy::new(&ENGINE, choice, LIMITS, tiers).unwrap()
    }

    fn entry(id: u64) -> Entry {
        Entry::new(id, id, 1)
    }

    fn accessed(id: u64) -> Event {
        Event::Accessed(Access { id, at: 1 })
    }

    fn admitted(placement: Placement) -> Vec<u64> {
        match placement {
            Placement::Admit(victims) => victims,
            Placement::Refuse => panic!("refused"),
        }
    }

    #[test]
    fn lru_fallback_decides_within_the_call_that_faulted() {
        for events in [vec![accessed(0)], vec![accessed(0), Event::Removed(1)]] {
            let mut slot = slot(choice(components::TRAPS));
            let tier = slot.create(3).unwrap();
            slot.restore(&tier, &[entry(0), entry(1), entry(2)]);
            let removed = events.contains(&Event::Removed(1));
            let victims = admitted(slot.place(&tier, &events, entry(3), 1));
            assert_eq!(victims, [if removed { 2 } else { 1 }], "0 was used in the same call");
            let rest = if removed { vec![0, 3] } else { vec![2, 0, 3] };
            assert_eq!(slot.evict(&tier, &[], 9), rest);
            assert_eq!((slot.status().fallbacks, slot.status().calls, slot.describe().name.as_str()), (1, 2, "lru"));
        }
    }

    #[test]
    fn call_to_a_looping_policy_is_interrupted_near_its_time_limit() {
        let mut slot = slot(choice(components::LOOPS));
        let tier = slot.create(3).unwrap();
        ENGINE.built_in(embedded::LRU).unwrap();
        let began = processor_time();
        admitted(slot.place(&tier, &[], entry(0), 0));
        let time = processor_time() - began;
        assert!(time >= LIMITS.call_time && time < 10 * LIMITS.call_time, "{time:?}");
    }

    #[test]
    fn failed_lru_fallback_admits_everything_and_names_no_victims() {
        let mut slot = slot(choice(components::NAMES_TOO_FEW));
        let tier = slot.create(3).unwrap();
        // For these entries, the policy and the LRU would both need more memory than their limit.
        let others = 2..800_000;
        let entries: Vec<Entry> = std::iter::once(0).chain(others.clone()).map(entry).collect();
        slot.restore(&tier, &entries);
        let status = slot.status();
        assert_eq!(status.fallbacks, 2);
        assert!(status.last_fault.unwrap().why.contains("16 MiB"));
        assert_eq!(slot.place(&tier, &[], entry(1), 1), Placement::Admit(Vec::new()));
        slot.observe(&tier, &others.map(Event::Removed).collect::<Vec<_>>());
        assert!(slot.evict(&tier, &[], 1).is_empty());
        assert_eq!(slot.create(3).map(|other| slot.drop_tier(other)), Ok(()));

        let outline = slot.begin_swap();
        assert!(slot.take_over(outline.swap, active(choice(embedded::policy("lru").unwrap()), &outline)).unwrap().is_none());
        assert_eq!(slot.evict(&tier, &[accessed(0)], 2), [1, 0], "a working policy can still take over");
    }

    #[test]
    fn policy_that_fails_to_start_again_is_replaced() {
        let mut slot = slot(choice(components::TRAPS_IN_DESCRIBE));
        assert_eq!((slot.describe().name.as_str(), slot.status().fallbacks), ("lru", 1));
        assert_eq!(slot.status().last_fault.unwrap().policy, "chosen");
        assert!(slot.create(1).is_ok());
    }

    #[test]
    fn fault_in_one_tier_preserves_the_state_of_the_other_tiers() {
        let mut slot = slot(choice(components::LOOPS_WHEN_DROPPED));
        let (first, second) = (slot.create(9).unwrap(), slot.create(9).unwrap());
        slot.restore(&first, &[entry(0), entry(1)]);
        slot.restore(&second, &[entry(0), entry(1), entry(2)]);
        slot.observe(&first, &[accessed(0)]);
        slot.drop_tier(second);
        assert_eq!(slot.status().fallbacks, 1);
        assert_eq!(slot.evict(&first, &[], 2), [1, 0]);
        let third = slot.create(9).unwrap();
        assert!(slot.evict(&third, &[], 1).is_empty(), "its number is reused, but not the old entries");
    }

    #[test]
    fn unknown_victims_are_counted_as_rejected_and_passed_on() {
        let mut slot = slot(choice(components::NAMES_STRANGERS));
        let tier = slot.create(3).unwrap();
        slot.restore(&tier, &[entry(0), entry(1)]);
        assert_eq!(admitted(slot.place(&tier, &[], entry(2), 2)), [u64::MAX, u64::MAX - 1]);
        assert_eq!(slot.status().rejected_ids, 2);
        slot.fall_back(&PolicyFault::Trapped("for the test".into()));
        assert_eq!(slot.evict(&tier, &[], 3), [0, 1, 2], "all three are tracked");
    }

    #[test]
    fn policy_may_name_at_most_the_tracked_entries_and_the_candidate() {
        assert_eq!(check_number(3, 3), Ok(()));
        assert_eq!(check_number(4, 3), Err(PolicyFault::TooManyVictims { named: 4, tracked: 3 }));
        let mut slot = slot(choice(components::NAMES_THE_CANDIDATE));
        let tier = slot.create(2).unwrap();
        slot.restore(&tier, &[entry(0), entry(1)]);
        assert_eq!(admitted(slot.place(&tier, &[], entry(2), 2)), [0, 1, 2]);
        assert_eq!((slot.status().fallbacks, slot.status().rejected_ids), (0, 0));
        assert_eq!(slot.tiers[0].as_ref().unwrap().residency.len(), 0);
    }

    #[test]
    fn new_policy_receives_the_events_since_the_last_delta() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let (dropped, tier) = (slot.create(9).unwrap(), slot.create(9).unwrap());
        slot.drop_tier(dropped);
        slot.restore(&tier, &(0..5).map(entry).collect::<Vec<_>>());
        let outline = slot.begin_swap();
        assert_eq!(outline.tiers, [(1, 9, 5)]);
        let mut next = active(choice(embedded::policy("lru").unwrap()), &outline);
        let delta = slot.delta(outline.swap, 1).unwrap();
        next.apply(1, &delta).unwrap();
        slot.observe(&tier, &[accessed(1), Event::Removed(2)]);
        assert_eq!(slot.evict(&tier, &[], 1), [0]);
        assert!(admitted(slot.place(&tier, &[], entry(0), 0)).is_empty());
        slot.take_over(outline.swap, next).unwrap();
        assert_eq!(slot.evict(&tier, &[], 9), [3, 4, 1, 0]);
        assert!(slot.delta(outline.swap, 1).is_none(), "the swap has ended");
    }

    #[test]
    fn policy_that_faults_on_the_final_delta_does_not_take_over() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let tier = slot.create(9).unwrap();
        let outline = slot.begin_swap();
        let next = active(choice(components::TRAPS_WHEN_SEEDED), &outline);
        slot.restore(&tier, &[entry(0)]);
        assert!(matches!(slot.take_over(outline.swap, next), Err(SwapError::Fault(PolicyFault::Trapped(_)))));
        slot.end_swap(outline.swap);
        assert_eq!((slot.evict(&tier, &[], 1), slot.status().swaps), (vec![0], 0));
    }

    #[test]
    fn no_deltas_are_available_for_an_ended_or_outdated_swap() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let tier = slot.create(9).unwrap();
        let outline = slot.begin_swap();
        slot.end_swap(outline.swap);
        assert!(slot.delta(outline.swap, 0).is_none());
        let outline = slot.begin_swap();
        assert!(slot.delta(outline.swap, 0).is_some() && slot.delta(outline.swap - 1, 0).is_none());
        let late = slot.create(9).unwrap();
        assert!(slot.delta(outline.swap, 0).is_none(), "it would not have the new tier");
        let next = active(choice(embedded::policy("lru").unwrap()), &outline);
        assert!(matches!(slot.take_over(outline.swap, next), Err(SwapError::Interrupted)));
        slot.drop_tier(late);
        slot.drop_tier(tier);
        assert_eq!(slot.status().swaps, 0);
    }
}
