//! How long calls take.

use std::time::Duration;

use super::subject::Subject;
use crate::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault};

/// A policy, and the processor time that it uses up. Time on a clock would make a policy look bad on a busy machine.
pub(super) struct Metered {
    subject: Box<dyn Subject>,
    /// Of decisions.
    pub decisions: Spent,
    /// Of being told something: by event, or entry.
    pub news: Spent,
    /// The longest call.
    pub longest: Duration,
}

/// Time, and what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    time: Duration,
    number: u64,
}

impl Spent {
    /// Each, in nanoseconds.
    pub fn mean(self) -> f64 {
        self.time.as_nanos() as f64 / self.number.max(1) as f64
    }

    fn add(&mut self, time: Duration, number: u64) {
        self.time += time;
        self.number += number;
    }
}

impl Metered {
    pub fn new(subject: Box<dyn Subject>) -> Self {
        let (decisions, news, longest) = Default::default();
        Self { subject, decisions, news, longest }
    }

    fn time<T>(&mut self, call: impl FnOnce(&mut dyn Subject) -> T) -> (T, Duration) {
        let before = processor_time();
        let answer = call(&mut *self.subject);
        let time = processor_time().saturating_sub(before);
        self.longest = self.longest.max(time);
        (answer, time)
    }

    fn news<T>(&mut self, number: usize, call: impl FnOnce(&mut dyn Subject) -> T) -> T {
        let (answer, time) = self.time(call);
        self.news.add(time, number as u64);
        answer
    }

    fn decision<T>(&mut self, call: impl FnOnce(&mut dyn Subject) -> T) -> T {
        let (answer, time) = self.time(call);
        self.decisions.add(time, 1);
        answer
    }
}

impl Subject for Metered {
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
        self.news(entries.len(), |subject| subject.restore(ranking, entries))
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        self.news(events.len(), |subject| subject.observe(ranking, events))
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.decision(|subject| subject.place(ranking, events, candidate, needed))
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.time(|subject| subject.evict(ranking, events, needed)).0
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        self.subject.forget(ranking)
    }
}

/// How long this thread has run.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
