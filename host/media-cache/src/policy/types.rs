//! The types of `wit/policy/eviction.wit` on the host's side.

pub use crate::bindings::policy::exports::media_cache::policy::eviction::{
    Access, Description, Entry, EntryId, Event, MediaKind, OptionDescription, Placement,
};

/// The number of entries in one call to `restore` when a policy is seeded.
pub const SEED_PAGE: usize = 4096;

impl Entry {
    /// An entry that has never been requested, of unknown cost and kind.
    #[must_use]
    pub fn new(id: EntryId, fingerprint: u64, size: u64) -> Self {
        Self { id, fingerprint, size, hits: 0, accessed_at: 0, cost: 0, waiters: 0, kind: MediaKind::Other }
    }
}
