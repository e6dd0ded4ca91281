//! What the author of a policy implements.

use crate::bindings::exports::media_cache::policy::eviction::{Entry, EntryId, Placement};
use crate::options::{OptionSpec, Options};

/// An eviction algorithm for one tier.
///
/// It tracks an entry from `insert` or `restore` until `victim` or `removed`, and ignores ids that it does not track. Ids are small
/// and dense.
pub trait Algorithm: Sized + 'static {
    /// A short name in lower case.
    const NAME: &'static str;
    /// A version such as `1.2.3`.
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// One line: what the policy prefers to keep.
    const DOC: &'static str;
    /// All options that `new` understands.
    const OPTIONS: &'static [OptionSpec];

    /// An algorithm that tracks nothing, for a capacity of at least 1.
    ///
    /// # Errors
    /// For an invalid value of an option, with the valid ones.
    fn new(capacity: u64, options: &Options) -> Result<Self, String>;

    /// Tracks an entry that was admitted.
    fn insert(&mut self, entry: &Entry);

    /// Tracks an entry that was stored before, and is hotter than those restored before it.
    fn restore(&mut self, entry: &Entry) {
        self.insert(entry);
    }

    /// An entry was requested, at a time in milliseconds since 1970.
    fn accessed(&mut self, id: EntryId, at: u64);

    /// An entry is no longer tracked, for a reason other than a decision of the algorithm.
    fn removed(&mut self, id: EntryId);

    /// Chooses the next victim, which is no longer tracked, and returns its id and size. `None` if nothing is tracked.
    fn victim(&mut self) -> Option<(EntryId, u64)>;

    /// Decides about a candidate that is not tracked and not larger than the capacity. `needed` must be freed for it.
    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        let victims = self.evict(needed);
        self.insert(candidate);
        Placement::Admit(victims)
    }

    /// Chooses victims until at least `needed` is freed, or nothing is tracked.
    fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        let mut victims = Vec::new();
        let mut freed = 0u64;
        while freed < needed {
            let Some((victim, size)) = self.victim() else { break };
            freed = freed.saturating_add(size);
            victims.push(victim);
        }
        victims
    }
}
