//! Entries for tests.

use crate::bindings::exports::media_cache::policy::eviction::{Entry, EntryId, MediaKind};

impl Entry {
    /// Creates an entry with this id and size, for tests and simulations. Its fingerprint is its id, and everything else is unknown.
    #[must_use]
    pub fn new(id: EntryId, size: u64) -> Self {
        Self { id, fingerprint: id, size, hits: 0, accessed_at: 0, cost: 0, waiters: 0, kind: MediaKind::Other }
    }
}
