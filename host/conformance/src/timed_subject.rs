//! Measures the processor time of a policy's calls. Unlike wall-clock time, it does not depend on the load of the machine.

use std::time::Duration;

use media_cache::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault, processor_time};

use crate::subject::Subject;

/// A policy whose calls are timed.
pub(crate) struct TimedSubject {
    subject: Box<dyn Subject>,
    pub times: CallTimes,
}

/// The processor time of calls, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallTimes {
    /// Calls to `place`, per decision.
    pub decisions: CpuTime,
    /// Calls to `restore` and `observe`, per entry and event.
    pub updates: CpuTime,
    /// The longest call, including `evict`.
    pub longest: Duration,
}

/// Processor time, and the number of items it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    total: Duration,
    items: u64,
}

impl CpuTime {
    /// The mean per item, in nanoseconds.
    pub fn mean_nanos(self) -> f64 {
        self.total.as_nanos() as f64 / self.items.max(1) as f64
    }

    fn add(&mut self, time: Duration, items: u64) {
        self.total += time;
        self.items += items;
    }
}

impl TimedSubject {
    pub fn new(subject: Box<dyn Subject>) -> Self {
        Self { subject, times: CallTimes::default() }
    }

    fn time<T>(&mut self, call: impl FnOnce(&mut dyn Subject) -> T) -> (T, Duration) {
        let before = processor_time();
        let answer = call(&mut *self.subject);
        let time = processor_time().saturating_sub(before);
        self.times.longest = self.times.longest.max(time);
        (answer, time)
    }

    fn time_update<T>(&mut self, items: usize, call: impl FnOnce(&mut dyn Subject) -> T) -> T {
        let (answer, time) = self.time(call);
        self.times.updates.add(time, items as u64);
        answer
    }

    fn time_decision<T>(&mut self, call: impl FnOnce(&mut dyn Subject) -> T) -> T {
        let (answer, time) = self.time(call);
        self.times.decisions.add(time, 1);
        answer
    }
}

impl Subject for TimedSubject {
    fn description(&self) -> &Description {
        self.subject.description()
    }

    fn memory_bytes(&self) -> u64 {
        self.subject.memory_bytes()
    }

    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError> {
        self.subject.create(capacity, options)
    }

    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.time_update(entries.len(), |subject| subject.restore(ranking, entries))
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        self.time_update(events.len(), |subject| subject.observe(ranking, events))
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.time_decision(|subject| subject.place(ranking, events, candidate, needed))
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.time(|subject| subject.evict(ranking, events, needed)).0
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        self.subject.forget(ranking)
    }
}
