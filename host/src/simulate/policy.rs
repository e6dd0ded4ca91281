//! What a replay asks.

use crate::engine::Engine;
use crate::policy::{CreateError, Entry, Event, Placement, PolicyChoice, PolicyFault, PolicyInstance, PolicyLimits, Ranking};

/// One ranking of a policy. That of a component is [`Sandboxed`]; a benchmark may have another, which is native.
pub trait Policy {
    /// See `restore` in `wit/eviction.wit`.
    ///
    /// # Errors
    /// When the policy does wrong, as in all methods.
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault>;

    /// See `observe` in `wit/eviction.wit`.
    #[allow(clippy::missing_errors_doc, reason = "as in all methods")]
    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault>;

    /// See `place` in `wit/eviction.wit`.
    #[allow(clippy::missing_errors_doc, reason = "as in all methods")]
    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault>;
}

/// A component with one ranking, in the sandbox that it has in a cache.
pub struct Sandboxed {
    instance: PolicyInstance,
    ranking: Ranking,
}

impl Sandboxed {
    /// Starts a policy.
    ///
    /// # Errors
    /// For an option that it does not understand, and when it does wrong.
    pub fn new(engine: &Engine, choice: &PolicyChoice, limits: PolicyLimits, capacity: u64) -> Result<Self, CreateError> {
        let mut instance = PolicyInstance::new(engine, &choice.component, limits)?;
        let ranking = instance.create(capacity, &choice.options)?;
        Ok(Self { instance, ranking })
    }

    /// The component.
    pub fn instance(&self) -> &PolicyInstance {
        &self.instance
    }
}

impl Policy for Sandboxed {
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.instance.restore(&self.ranking, entries)
    }

    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
        self.instance.observe(&self.ranking, events)
    }

    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.instance.place(&self.ranking, events, candidate, needed)
    }
}
