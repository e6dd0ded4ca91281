//! The trait that a policy implements.

use crate::bindings::exports::media_cache::policy::eviction::{Entry, EntryId, Placement};
use crate::options::{OptionSpec, Options};

/// An eviction algorithm for one tier.
///
/// It tracks an entry from [`insert`](Self::insert) or [`restore`](Self::restore) until [`victim`](Self::victim) chooses it or
/// [`removed`](Self::removed) reports it, and must ignore ids that it does not track. Ids are small and dense. Sizes are in the unit of the
/// capacity. `wit/policy/eviction.wit` is the contract; [`PolicyState`](crate::PolicyState) implements it with these methods.
pub trait Algorithm: Sized + 'static {
    /// The name of the policy: short, in lower case.
    const NAME: &'static str;
    /// The version of the policy, such as `1.2.3`. Default: the version of this SDK.
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// One line: what the policy prefers to keep.
    const DOC: &'static str;
    /// All options that [`new`](Self::new) accepts.
    const OPTIONS: &'static [OptionSpec];

    /// Creates an algorithm that tracks nothing. `capacity` is at least 1: bytes for the disk tier, items for the memory tier.
    ///
    /// # Errors
    /// Returns an error if the value of an option is invalid. The text says which values are valid.
    fn new(capacity: u64, options: &Options) -> Result<Self, String>;

    /// Starts tracking an entry that was admitted and is not tracked yet.
    fn insert(&mut self, entry: &Entry);

    /// Starts tracking an entry that was stored earlier, is hotter than those restored before it, and is not tracked yet. By default, this
    /// calls [`insert`](Self::insert).
    fn restore(&mut self, entry: &Entry) {
        self.insert(entry);
    }

    /// Records a request for an entry, at a time in milliseconds since 1970. Times need not increase.
    fn accessed(&mut self, id: EntryId, at: u64);

    /// Stops tracking an entry, for a reason other than a decision of the algorithm.
    fn removed(&mut self, id: EntryId);

    /// Chooses the next victim, stops tracking it, and returns its id and size. `None` if nothing is tracked.
    fn victim(&mut self) -> Option<(EntryId, u64)>;

    /// Decides about a candidate that is not tracked and not larger than the capacity. `needed` is the space that must be freed for it,
    /// 0 if it fits. By default, this admits every candidate in place of the victims that [`evict`](Self::evict) chooses.
    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        let victims = self.evict(needed);
        self.insert(candidate);
        Placement::Admit(victims)
    }

    /// Chooses victims until at least `needed` is freed or nothing is tracked. By default, they come from [`victim`](Self::victim).
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
