//! The policies that a replay can drive.

use media_cache::policy::{
    CreateError, Entry, Event, Placement, PolicyChoice, PolicyEngine, PolicyFault, PolicyHandle, PolicyInstance, PolicyLimits,
};

/// An eviction policy for one tier: a component in a [`Sandboxed`] instance, or a native implementation, for example in a benchmark.
pub trait Policy {
    /// See `restore` in `wit/policy/eviction.wit`.
    ///
    /// # Errors
    /// If the policy faults, as for all methods.
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault>;

    /// See `observe` in `wit/policy/eviction.wit`.
    #[allow(clippy::missing_errors_doc, reason = "as for all methods")]
    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault>;

    /// See `place` in `wit/policy/eviction.wit`.
    #[allow(clippy::missing_errors_doc, reason = "as for all methods")]
    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault>;

    /// See `evict` in `wit/policy/eviction.wit`.
    #[allow(clippy::missing_errors_doc, reason = "as for all methods")]
    fn evict(&mut self, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault>;
}

/// A policy component in the sandbox that a cache runs it in.
pub struct Sandboxed {
    instance: PolicyInstance,
    handle: PolicyHandle,
}

impl Sandboxed {
    /// Starts a policy for a tier of `capacity` bytes. `engine` must be the one that compiled it.
    ///
    /// # Errors
    /// If an option is invalid or the policy faults.
    pub fn new(engine: &PolicyEngine, choice: &PolicyChoice, limits: PolicyLimits, capacity: u64) -> Result<Self, CreateError> {
        let mut instance = PolicyInstance::new(engine, &choice.component, limits)?;
        let handle = instance.create(capacity, &choice.options)?;
        Ok(Self { instance, handle })
    }

    /// The running component.
    pub fn instance(&self) -> &PolicyInstance {
        &self.instance
    }
}

impl Policy for Sandboxed {
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.instance.restore(&self.handle, entries)
    }

    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
        self.instance.observe(&self.handle, events)
    }

    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.instance.place(&self.handle, events, candidate, needed)
    }

    fn evict(&mut self, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.instance.evict(&self.handle, events, needed)
    }
}
