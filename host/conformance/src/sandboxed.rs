//! A policy component under test, in the sandbox that a cache runs it in.

use media_cache::policy::{
    CreateError, Description, Entry, Event, Placement, PolicyChoice, PolicyEngine, PolicyFault, PolicyHandle, PolicyInstance,
    PolicyLimits,
};

use crate::subject::Subject;

/// An instance of a component. Rankings are numbered in the order of their creation.
pub(crate) struct Sandboxed {
    instance: PolicyInstance,
    /// `None` for a ranking that was released.
    handles: Vec<Option<PolicyHandle>>,
}

impl Sandboxed {
    pub fn start(engine: &PolicyEngine, choice: &PolicyChoice, limits: PolicyLimits) -> Result<Box<dyn Subject>, PolicyFault> {
        let instance = PolicyInstance::new(engine, &choice.component, limits)?;
        Ok(Box::new(Self { instance, handles: Vec::new() }))
    }

    fn call<T>(
        &mut self,
        ranking: usize,
        call: impl FnOnce(&mut PolicyInstance, &PolicyHandle) -> Result<T, PolicyFault>,
    ) -> Result<T, PolicyFault> {
        match self.handles.get(ranking) {
            Some(Some(handle)) => call(&mut self.instance, handle),
            _ => Err(PolicyFault::Trapped("the ranking was released".into())),
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
        self.handles.push(Some(self.instance.create(capacity, options)?));
        Ok(self.handles.len() - 1)
    }

    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.call(ranking, |policy, handle| policy.restore(handle, entries))
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        self.call(ranking, |policy, handle| policy.observe(handle, events))
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.call(ranking, |policy, handle| policy.place(handle, events, candidate, needed))
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.call(ranking, |policy, handle| policy.evict(handle, events, needed))
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        match self.handles.get_mut(ranking).and_then(Option::take) {
            Some(handle) => self.instance.forget(handle),
            None => Ok(()),
        }
    }
}
