//! The interface between the suite and a policy under test.

use media_cache::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault};

/// One instance of a policy under test, with the functions of `wit/policy/eviction.wit`. A ranking is identified by the number that
/// [`create`](Self::create) returns.
///
/// [`run`](crate::run) tests components. An algorithm that is not a component yet can implement this trait and run natively, with
/// [`try_out`](crate::try_out).
#[allow(clippy::missing_errors_doc, reason = "each method fails if the policy faults, and only then")]
pub trait Subject {
    /// See `describe` in `wit/policy/eviction.wit`.
    fn description(&self) -> &Description;
    /// The memory of the instance, in bytes.
    fn memory_bytes(&self) -> u64;
    /// Creates a ranking that tracks nothing, and returns its number.
    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError>;
    /// Tracks entries that were not placed, coldest first.
    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault>;
    /// Processes events.
    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault>;
    /// Processes events, then decides whether to admit `candidate` and which entries to evict for it.
    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault>;
    /// Processes events, then chooses victims that free at least `needed`, or all entries.
    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault>;
    /// Releases a ranking.
    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault>;
}
