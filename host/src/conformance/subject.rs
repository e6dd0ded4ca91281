//! What the suite drives: a component in its sandbox, or whatever else can stand in for one.

use crate::engine::Engine;
use crate::policy::{
    CreateError, Description, Entry, Event, Placement, PolicyChoice, PolicyFault, PolicyInstance, PolicyLimits, Ranking,
};

/// One instance of a policy under test, as `wit/eviction.wit` has it. Rankings go by the numbers that `create` hands out.
///
/// A component is one by way of [`run`](super::run). An algorithm that does not sit in a component yet can be one as well, and go
/// through the suite natively with [`try_out`](super::try_out).
#[allow(clippy::missing_errors_doc, reason = "each fails with a fault of the policy, and nothing else")]
pub trait Subject {
    /// What it says of itself.
    fn description(&self) -> &Description;
    /// How much memory it takes up, in bytes.
    fn memory_bytes(&self) -> u64;
    /// An empty ranking.
    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError>;
    /// These entries reside without having been placed.
    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault>;
    /// What happened.
    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault>;
    /// What happened, and whether `candidate` gets a place.
    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault>;
    /// What happened, and who is to go.
    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault>;
    /// Gives a ranking back.
    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault>;
}

/// A component in its sandbox.
pub(super) struct Sandboxed {
    instance: PolicyInstance,
    rankings: Vec<Option<Ranking>>,
}

impl Sandboxed {
    pub fn start(engine: &Engine, choice: &PolicyChoice, limits: PolicyLimits) -> Result<Box<dyn Subject>, PolicyFault> {
        let instance = PolicyInstance::new(engine, &choice.component, limits)?;
        Ok(Box::new(Self { instance, rankings: Vec::new() }))
    }

    fn ask<T>(
        &mut self,
        ranking: usize,
        ask: impl FnOnce(&mut PolicyInstance, &Ranking) -> Result<T, PolicyFault>,
    ) -> Result<T, PolicyFault> {
        match self.rankings.get(ranking) {
            Some(Some(ranking)) => ask(&mut self.instance, ranking),
            _ => Err(PolicyFault::Trapped("the ranking was given back".into())),
        }
    }
}

impl Subject for Sandboxed {
    fn description(&self) -> &Description {
        self.instance.description()
    }

    fn memory_bytes(&self) -> u64 {
        self.instance.memory_bytes()
    }

    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError> {
        self.rankings.push(Some(self.instance.create(capacity, options)?));
        Ok(self.rankings.len() - 1)
    }

    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.ask(ranking, |policy, ranking| policy.restore(ranking, entries))
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        self.ask(ranking, |policy, ranking| policy.observe(ranking, events))
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.ask(ranking, |policy, ranking| policy.place(ranking, events, candidate, needed))
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.ask(ranking, |policy, ranking| policy.evict(ranking, events, needed))
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        match self.rankings.get_mut(ranking).and_then(Option::take) {
            Some(ranking) => self.instance.forget(ranking),
            None => Ok(()),
        }
    }
}
