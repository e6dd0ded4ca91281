//! The policy that a cache asks, and what happens when it does wrong.
//!
//! A policy that traps or overruns is put aside, and the built-in LRU takes its place in the same call, told of everything that
//! resides. Should that fail as well, every candidate is admitted and no victim named: the cache, which makes up for missing victims
//! by its own order of use, goes on as a plain LRU. No request fails for it.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::Resource;

use super::ledger::{Ledger, Page};
use super::record::{PolicyStatus, Record};
use super::sandbox::processor_time;
use super::seat::Seat;
use super::swap::SwapError;
use super::{CreateError, Description, Entry, Event, Placement, PolicyFault, PolicyInstance, PolicyLimits, Ranking};
use crate::engine::{Engine, embedded};

/// How many entries a policy is told of in one call when it takes over.
pub(crate) const PAGE: usize = 4096;

/// One of its rankings, as the cache holds it: a number.
pub struct CacheRanking(usize);

/// A handle of the cache to one of its rankings.
pub(crate) type RankingHandle = Resource<CacheRanking>;

/// The policy of a cache.
pub(crate) struct PolicySlot {
    engine: Engine,
    limits: PolicyLimits,
    record: Arc<Record>,
    /// `None` where nothing works any more.
    seat: Option<Seat>,
    rankings: Vec<Option<Kept>>,
    /// Counts the swaps that were begun, and is that of the one under way.
    swap: u64,
    swapping: bool,
}

/// What is known of a ranking, whoever keeps it.
struct Kept {
    capacity: u64,
    ledger: Ledger,
}

/// What a swap has to know to begin.
pub(super) struct Outline {
    /// Names the swap.
    pub swap: u64,
    /// Number, capacity and entries of each ranking.
    pub rankings: Vec<(usize, u64, usize)>,
}

impl PolicySlot {
    /// Starts the policy that `record` names, or the built-in LRU where that does not work any more.
    pub fn new(engine: Engine, limits: PolicyLimits, record: Arc<Record>) -> Self {
        let started = PolicyInstance::new(&engine, &record.choice().component, limits);
        let mut slot = Self { engine, limits, record, seat: None, rankings: Vec::new(), swap: 0, swapping: false };
        match started {
            Ok(instance) => slot.seat = Some(Seat::of(slot.record.choice(), instance)),
            Err(fault) => slot.fall_back(&fault),
        }
        slot
    }

    /// What there is to say of the policy.
    pub fn status(&self) -> PolicyStatus {
        self.record.status()
    }

    pub fn describe(&self) -> Description {
        let nothing = || Description { name: String::new(), version: String::new(), doc: String::new(), options: Vec::new() };
        self.seat.as_ref().map_or_else(nothing, |seat| seat.instance.description().clone())
    }

    /// Makes a ranking. Its options are those that the policy was chosen with.
    pub fn create(&mut self, capacity: u64) -> Result<CacheRanking, String> {
        // A policy that is about to take over would not have it. Caches make their rankings when they start.
        self.swapping = false;
        let number = self.rankings.iter().position(Option::is_none).unwrap_or(self.rankings.len());
        if number == self.rankings.len() {
            self.rankings.push(None);
        }
        while let Some(seat) = &mut self.seat {
            match seat.create(number, capacity) {
                Ok(()) => break,
                Err(CreateError::Options(why)) => return Err(why),
                Err(CreateError::Fault(fault)) => self.fall_back(&fault),
            }
        }
        self.rankings[number] = Some(Kept { capacity, ledger: Ledger::new() });
        Ok(CacheRanking(number))
    }

    pub fn restore(&mut self, ranking: &CacheRanking, entries: &[Entry]) {
        if let Some(kept) = self.kept(ranking) {
            kept.ledger.restore(entries);
            // One that takes over here was told of everything in the ledger, these included.
            self.once(ranking, |policy, ranking| policy.restore(ranking, entries));
        }
    }

    pub fn observe(&mut self, ranking: &CacheRanking, events: &[Event]) {
        if let Some(kept) = self.kept(ranking) {
            kept.ledger.observe(events);
            self.once(ranking, |policy, ranking| policy.observe(ranking, events));
        }
    }

    pub fn place(&mut self, ranking: &CacheRanking, events: &[Event], candidate: Entry, needed: u64) -> Placement {
        let Some(kept) = self.kept(ranking) else { return Placement::Refuse };
        kept.ledger.observe(events);
        let resident = kept.ledger.len();
        let placement = self.decide(ranking, events, |policy, ranking, events| {
            let placement = policy.place(ranking, events, candidate, needed)?;
            match &placement {
                Placement::Admit(victims) => check_number(victims.len(), resident + 1)?,
                Placement::Refuse => {}
            }
            Ok(placement)
        });
        let placement = placement.unwrap_or(Placement::Admit(Vec::new()));
        if let (Some(kept), Placement::Admit(victims)) = (self.kept(ranking), &placement) {
            kept.ledger.insert(candidate);
            self.give_up(ranking, victims);
        }
        placement
    }

    pub fn evict(&mut self, ranking: &CacheRanking, events: &[Event], needed: u64) -> Vec<u64> {
        let Some(kept) = self.kept(ranking) else { return Vec::new() };
        kept.ledger.observe(events);
        let resident = kept.ledger.len();
        let victims = self.decide(ranking, events, |policy, ranking, events| {
            let victims = policy.evict(ranking, events, needed)?;
            check_number(victims.len(), resident)?;
            Ok(victims)
        });
        let victims = victims.unwrap_or_default();
        self.give_up(ranking, &victims);
        victims
    }

    pub fn drop_ranking(&mut self, ranking: CacheRanking) {
        if let Some(kept) = self.rankings.get_mut(ranking.0) {
            *kept = None;
        }
        if let Some(Err(fault)) = self.seat.as_mut().map(|seat| seat.forget(ranking.0)) {
            self.fall_back(&fault);
        }
    }

    /// Begins a swap: from here on there are pages.
    pub(super) fn follow(&mut self) -> Outline {
        self.swap += 1;
        self.swapping = true;
        let mut rankings = Vec::new();
        for (number, kept) in self.rankings.iter_mut().enumerate() {
            if let Some(Kept { capacity, ledger }) = kept {
                ledger.follow();
                rankings.push((number, *capacity, ledger.len()));
            }
        }
        Outline { swap: self.swap, rankings }
    }

    /// What the policy that is to take over has to be told next of a ranking. `None` where the swap is none of this slot's: the cache
    /// component broke down meanwhile and was started again.
    pub(super) fn page(&mut self, swap: u64, number: usize) -> Option<Page> {
        if !self.is_under_way(swap) {
            return None;
        }
        Some(self.rankings.get_mut(number)?.as_mut()?.ledger.page(PAGE))
    }

    /// Ends a swap that came to nothing.
    pub(super) fn unfollow(&mut self, swap: u64) {
        if self.is_under_way(swap) {
            self.swapping = false;
            self.rankings.iter_mut().flatten().for_each(|kept| kept.ledger.unfollow());
        }
    }

    /// Ends a swap: tells `seat` of what happened last, and puts it in the place of the one before, which is given back.
    pub(super) fn take_over(&mut self, swap: u64, mut seat: Seat) -> Result<Option<Seat>, SwapError> {
        let kept: Vec<usize> = (0..self.rankings.len()).filter(|number| self.rankings[*number].is_some()).collect();
        let began = processor_time();
        for number in kept {
            loop {
                let page = self.page(swap, number).ok_or(SwapError::Interrupted)?;
                if page.len() == 0 {
                    break;
                }
                seat.tell(number, &page)?;
                // The cache waits for this: all of it may take no longer than one call.
                if processor_time().saturating_sub(began) > self.limits.call_time {
                    return Err(SwapError::CannotKeepUp);
                }
            }
        }
        self.unfollow(swap);
        self.record.swapped(&seat);
        Ok(self.seat.replace(seat))
    }

    fn is_under_way(&self, swap: u64) -> bool {
        self.swapping && self.swap == swap
    }

    fn kept(&mut self, ranking: &CacheRanking) -> Option<&mut Kept> {
        self.rankings.get_mut(ranking.0)?.as_mut()
    }

    /// Victims were named; those that cannot have been are counted.
    fn give_up(&mut self, ranking: &CacheRanking, victims: &[u64]) {
        let Some(kept) = self.kept(ranking) else { return };
        let rejected = victims.iter().map(|victim| u64::from(!kept.ledger.remove(*victim))).sum();
        self.record.rejected(rejected);
    }

    /// Tells the policy something. One that takes over knows it already.
    fn once(&mut self, ranking: &CacheRanking, call: impl FnOnce(&mut PolicyInstance, &Ranking) -> Result<(), PolicyFault>) {
        if let Some(Err(fault)) = self.call(ranking, call) {
            self.fall_back(&fault);
        }
    }

    /// Asks the policy for a decision; where it does wrong, the one that takes over.
    fn decide<T>(
        &mut self,
        ranking: &CacheRanking,
        mut events: &[Event],
        ask: impl Fn(&mut PolicyInstance, &Ranking, &[Event]) -> Result<T, PolicyFault>,
    ) -> Option<T> {
        loop {
            match self.call(ranking, |policy, ranking| ask(policy, ranking, events))? {
                Ok(decision) => return Some(decision),
                Err(fault) => self.fall_back(&fault),
            }
            events = &[];
        }
    }

    fn call<T>(
        &mut self,
        ranking: &CacheRanking,
        call: impl FnOnce(&mut PolicyInstance, &Ranking) -> Result<T, PolicyFault>,
    ) -> Option<Result<T, PolicyFault>> {
        let (policy, ranking) = self.seat.as_mut()?.ranking(ranking.0)?;
        let started = Instant::now();
        let result = call(policy, ranking);
        self.record.called(started.elapsed(), policy.memory_bytes());
        Some(result)
    }

    /// Puts the policy aside, and the built-in LRU in its place.
    fn fall_back(&mut self, fault: &PolicyFault) {
        let failed = self.seat.take();
        let name = failed.as_ref().map_or("", |seat| &seat.instance.description().name);
        tracing::error!(policy = name, "the policy is put aside, and the least recently used go: {fault}");
        self.record.failed(fault.to_string());
        if failed.is_some_and(|seat| seat.choice.is_built_in(embedded::LRU)) {
            return;
        }
        match self.seat_lru() {
            Ok(seat) => {
                self.record.fell_back(&seat);
                self.seat = Some(seat);
            }
            Err(error) => {
                tracing::error!("the built-in LRU does not work: {error}");
                self.record.failed(error.to_string());
            }
        }
    }

    fn seat_lru(&mut self) -> Result<Seat, SeatLruError> {
        let lru = self.engine.built_in_policy(embedded::LRU)?;
        let kept = || self.rankings.iter().enumerate().filter_map(|(number, kept)| Some((number, kept.as_ref()?)));
        let capacities = kept().map(|(number, kept)| (number, kept.capacity));
        let mut seat = Seat::new(&self.engine, lru.into(), self.limits, capacities)?;
        for (number, kept) in kept() {
            let entries: Vec<Entry> = kept.ledger.coldest_first().collect();
            for page in entries.chunks(PAGE) {
                let Some((policy, ranking)) = seat.ranking(number) else { break };
                policy.restore(ranking, page).map_err(CreateError::Fault)?;
            }
        }
        Ok(seat)
    }
}

#[derive(Debug, thiserror::Error)]
enum SeatLruError {
    #[error(transparent)]
    Component(#[from] crate::engine::ComponentError),
    #[error(transparent)]
    Create(#[from] CreateError),
}

fn check_number(named: usize, resident: usize) -> Result<(), PolicyFault> {
    if named <= resident { Ok(()) } else { Err(PolicyFault::TooManyVictims { named, resident }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sandbox::processor_time;
    use crate::policy::{Access, PolicyChoice, PolicyOrigin};
    use media_cache_test_components as components;
    use std::sync::LazyLock;
    use std::time::Duration;

    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());
    const LIMITS: PolicyLimits = PolicyLimits { memory_bytes: 16 << 20, call_time: Duration::from_millis(50) };

    fn choice(component: &[u8]) -> PolicyChoice {
        ENGINE.compile_policy(PolicyOrigin::Upload, component).unwrap().into()
    }

    fn slot(choice: PolicyChoice) -> PolicySlot {
        let description = Description { name: "chosen".into(), version: String::new(), doc: String::new(), options: Vec::new() };
        PolicySlot::new(ENGINE.clone(), LIMITS, Arc::new(Record::new(choice, description)))
    }

    fn seat(choice: PolicyChoice, outline: &Outline) -> Seat {
        let rankings = outline.rankings.iter().map(|(number, capacity, _)| (*number, *capacity));
        Seat::new(&ENGINE, choice, LIMITS, rankings).unwrap()
    }

    fn entry(id: u64) -> Entry {
        Entry { id, fingerprint: id, size: 1, hits: 0, accessed_at: 0 }
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
    fn the_lru_decides_in_the_call_in_which_the_policy_does_wrong() {
        for events in [vec![accessed(0)], vec![accessed(0), Event::Removed(1)]] {
            let mut slot = slot(choice(components::TRAPS));
            let ranking = slot.create(3).unwrap();
            slot.restore(&ranking, &[entry(0), entry(1), entry(2)]);
            let removed = events.contains(&Event::Removed(1));
            let victims = admitted(slot.place(&ranking, &events, entry(3), 1));
            assert_eq!(victims, [if removed { 2 } else { 1 }], "0 was used in the same call");
            let rest = if removed { vec![0, 3] } else { vec![2, 0, 3] };
            assert_eq!(slot.evict(&ranking, &[], 9), rest);
            assert_eq!((slot.status().fallbacks, slot.status().calls, slot.describe().name.as_str()), (1, 2, "lru"));
        }
    }

    #[test]
    fn a_policy_that_takes_for_ever_has_little_more_than_its_time() {
        let mut slot = slot(choice(components::LOOPS));
        let ranking = slot.create(3).unwrap();
        ENGINE.built_in_policy(embedded::LRU).unwrap();
        let began = processor_time();
        admitted(slot.place(&ranking, &[], entry(0), 0));
        let time = processor_time() - began;
        assert!(time >= LIMITS.call_time && time < 10 * LIMITS.call_time, "{time:?}");
    }

    #[test]
    fn where_not_even_the_lru_works_everything_is_admitted_and_the_cache_chooses() {
        let mut slot = slot(choice(components::NAMES_TOO_FEW));
        let ranking = slot.create(3).unwrap();
        // A place in the arrays of either would take more memory than there is.
        slot.restore(&ranking, &[entry(0), entry(5_000_000)]);
        let status = slot.status();
        assert_eq!(status.fallbacks, 2);
        assert!(status.last_fault.unwrap().why.contains("16 MiB"));
        assert_eq!(slot.place(&ranking, &[], entry(1), 1), Placement::Admit(Vec::new()));
        slot.observe(&ranking, &[Event::Removed(5_000_000)]);
        assert!(slot.evict(&ranking, &[], 1).is_empty());
        assert_eq!(slot.create(3).map(|other| slot.drop_ranking(other)), Ok(()));

        let outline = slot.follow();
        assert!(slot.take_over(outline.swap, seat(choice(embedded::policy("lru").unwrap()), &outline)).unwrap().is_none());
        assert_eq!(slot.evict(&ranking, &[accessed(0)], 2), [1, 0], "one that works can still take over");
    }

    #[test]
    fn a_policy_that_does_not_start_again_is_replaced() {
        let mut slot = slot(choice(components::TRAPS_IN_DESCRIBE));
        assert_eq!((slot.describe().name.as_str(), slot.status().fallbacks), ("lru", 1));
        assert_eq!(slot.status().last_fault.unwrap().policy, "chosen");
        assert!(slot.create(1).is_ok());
    }

    #[test]
    fn a_fault_in_one_ranking_forgets_nothing_of_the_others() {
        let mut slot = slot(choice(components::LOOPS_WHEN_DROPPED));
        let (first, second) = (slot.create(9).unwrap(), slot.create(9).unwrap());
        slot.restore(&first, &[entry(0), entry(1)]);
        slot.restore(&second, &[entry(0), entry(1), entry(2)]);
        slot.observe(&first, &[accessed(0)]);
        slot.drop_ranking(second);
        assert_eq!(slot.status().fallbacks, 1);
        assert_eq!(slot.evict(&first, &[], 2), [1, 0]);
        let third = slot.create(9).unwrap();
        assert!(slot.evict(&third, &[], 1).is_empty(), "its number was used before, but not its entries");
    }

    #[test]
    fn victims_that_cannot_be_are_counted_and_passed_on() {
        let mut slot = slot(choice(components::NAMES_STRANGERS));
        let ranking = slot.create(3).unwrap();
        slot.restore(&ranking, &[entry(0), entry(1)]);
        assert_eq!(admitted(slot.place(&ranking, &[], entry(2), 2)), [u64::MAX, u64::MAX - 1]);
        assert_eq!(slot.status().rejected_answers, 2);
        slot.fall_back(&PolicyFault::Trapped("for the test".into()));
        assert_eq!(slot.evict(&ranking, &[], 3), [0, 1, 2], "all three reside");
    }

    #[test]
    fn the_most_that_can_be_named_is_what_resides_and_the_candidate() {
        assert_eq!(check_number(3, 3), Ok(()));
        assert_eq!(check_number(4, 3), Err(PolicyFault::TooManyVictims { named: 4, resident: 3 }));
        let mut slot = slot(choice(components::NAMES_THE_CANDIDATE));
        let ranking = slot.create(2).unwrap();
        slot.restore(&ranking, &[entry(0), entry(1)]);
        assert_eq!(admitted(slot.place(&ranking, &[], entry(2), 2)), [0, 1, 2]);
        assert_eq!((slot.status().fallbacks, slot.status().rejected_answers), (0, 0));
        assert_eq!(slot.rankings[0].as_ref().unwrap().ledger.len(), 0);
    }

    #[test]
    fn one_that_takes_over_knows_what_happened_since_the_last_page() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let (dropped, ranking) = (slot.create(9).unwrap(), slot.create(9).unwrap());
        slot.drop_ranking(dropped);
        slot.restore(&ranking, &(0..5).map(entry).collect::<Vec<_>>());
        let outline = slot.follow();
        assert_eq!(outline.rankings, [(1, 9, 5)]);
        let mut next = seat(choice(embedded::policy("lru").unwrap()), &outline);
        let page = slot.page(outline.swap, 1).unwrap();
        next.tell(1, &page).unwrap();
        slot.observe(&ranking, &[accessed(1), Event::Removed(2)]);
        assert_eq!(slot.evict(&ranking, &[], 1), [0]);
        assert!(admitted(slot.place(&ranking, &[], entry(0), 0)).is_empty());
        slot.take_over(outline.swap, next).unwrap();
        assert_eq!(slot.evict(&ranking, &[], 9), [3, 4, 1, 0]);
        assert!(slot.page(outline.swap, 1).is_none(), "it is over");
    }

    #[test]
    fn one_that_does_wrong_at_the_last_moment_does_not_take_over() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let ranking = slot.create(9).unwrap();
        let outline = slot.follow();
        let next = seat(choice(components::TRAPS_WHEN_SEEDED), &outline);
        slot.restore(&ranking, &[entry(0)]);
        assert!(matches!(slot.take_over(outline.swap, next), Err(SwapError::Fault(PolicyFault::Trapped(_)))));
        slot.unfollow(outline.swap);
        assert_eq!((slot.evict(&ranking, &[], 1), slot.status().swaps), (vec![0], 0));
    }

    #[test]
    fn a_swap_that_is_over_gets_no_pages() {
        let mut slot = slot(choice(embedded::policy("lru").unwrap()));
        let ranking = slot.create(9).unwrap();
        let outline = slot.follow();
        slot.unfollow(outline.swap);
        assert!(slot.page(outline.swap, 0).is_none());
        let outline = slot.follow();
        assert!(slot.page(outline.swap, 0).is_some() && slot.page(outline.swap - 1, 0).is_none());
        let late = slot.create(9).unwrap();
        assert!(slot.page(outline.swap, 0).is_none(), "it would not have the new ranking");
        let next = seat(choice(embedded::policy("lru").unwrap()), &outline);
        assert!(matches!(slot.take_over(outline.swap, next), Err(SwapError::Interrupted)));
        slot.drop_ranking(late);
        slot.drop_ranking(ranking);
        assert_eq!(slot.status().swaps, 0);
    }
}
