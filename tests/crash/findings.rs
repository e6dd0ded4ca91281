//! The faults that the crash test has found.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Contradiction, State, Subject};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Media that was acknowledged is gone.
    Lost,
    /// Media that was deleted is served again.
    Reappeared,
    /// A body, type or name was not valid for its URL at that time.
    Wrong,
    /// A file does not belong to any entry.
    Orphan,
    /// The disk usage exceeded the budget.
    OverBudget,
    /// A response did not report a failure.
    Unreported,
    /// The service failed to start, failed to stop properly, or crashed.
    Broken,
}

/// The findings of all rounds so far.
#[derive(Default)]
pub struct Findings {
    round: AtomicU64,
    acknowledged: AtomicU64,
    evicted: AtomicU64,
    faults: Mutex<Vec<(Fault, String)>>,
    refused: Mutex<BTreeMap<String, u64>>,
}

impl Findings {
    pub fn begin_round(&self, round: u64) {
        self.round.store(round, Ordering::SeqCst);
    }

    pub fn acknowledge_put(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    pub fn evict(&self, entries: u64) {
        self.evicted.fetch_add(entries, Ordering::SeqCst);
    }

    pub fn report(&self, fault: Fault, what: &str) {
        let round = self.round.load(Ordering::SeqCst);
        self.faults.lock().unwrap().push((fault, format!("round {round}: {fault:?}: {what}")));
    }

    /// Counts a request that was refused with this status, which is not a fault.
    pub fn refused(&self, what: &str, status: u16) {
        *self.refused.lock().unwrap().entry(format!("{what} {status}")).or_default() += 1;
    }

    /// Compares the state in a response with the model.
    pub fn judge(&self, subject: &Subject, since: usize, observed: State) {
        let Err(contradiction) = subject.check(since, observed) else { return };
        let fault = match contradiction {
            Contradiction::Lost => Fault::Lost,
            Contradiction::Reappeared => Fault::Reappeared,
            Contradiction::Wrong => Fault::Wrong,
        };
        self.report(fault, &format!("{subject:?} is {observed:?}"));
        // Each contradiction is reported once.
        subject.is([observed]);
    }

    /// Like `judge`, for the state before a request that changes it.
    pub fn judge_before(&self, subject: &Subject, since: usize, observed: State, evicts: bool) {
        if !evicts && subject.was(since, observed).is_err() {
            self.report(Fault::Lost, &format!("{subject:?} was {observed:?}"));
        }
    }

    pub fn wrong(&self, subject: &Subject, what: &str) {
        self.report(Fault::Wrong, &format!("the response for {subject:?} matches none of its versions: {what}"));
    }

    pub fn unreported(&self, subject: &Subject) {
        self.report(
            Fault::Unreported,
            &format!("the deletion of {subject:?} was acknowledged, although its media file cannot be deleted"),
        );
    }

    /// All findings.
    pub fn faults(&self) -> Vec<(Fault, String)> {
        self.faults.lock().unwrap().clone()
    }

    /// The number of findings of one kind.
    pub fn count(&self, fault: Fault) -> usize {
        self.faults().iter().filter(|(kind, _)| *kind == fault).count()
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::SeqCst)
    }

    pub fn refusals(&self) -> BTreeMap<String, u64> {
        self.refused.lock().unwrap().clone()
    }
}
