//! A policy whose calls fail once the suite is to end early, so that all remaining checks end at once.

use std::sync::Arc;

use media_cache::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault};

use crate::subject::Subject;

/// Whether the suite is to end early.
pub(crate) type IsOver = Arc<dyn Fn() -> bool>;

/// A policy that can be interrupted.
pub(crate) struct Interruptible {
    pub subject: Box<dyn Subject>,
    pub is_over: IsOver,
}

impl Interruptible {
    fn check(&self) -> Result<(), PolicyFault> {
        if (self.is_over)() { Err(PolicyFault::Trapped("the checks were interrupted".into())) } else { Ok(()) }
    }
}

impl Subject for Interruptible {
    fn description(&self) -> &Description {
        self.subject.description()
    }

    fn memory_bytes(&self) -> u64 {
        self.subject.memory_bytes()
    }

    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError> {
        self.check().map_err(CreateError::Fault)?;
        self.subject.create(capacity, options)
    }

    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.check()?;
        self.subject.restore(ranking, entries)
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        self.check()?;
        self.subject.observe(ranking, events)
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.check()?;
        self.subject.place(ranking, events, candidate, needed)
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.check()?;
        self.subject.evict(ranking, events, needed)
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        self.check()?;
        self.subject.forget(ranking)
    }
}
