//! The types of `wit/eviction.wit`, as the host sees them.

pub use crate::bindings::policy::exports::media_cache::cache::eviction::{
    Access, Description, Entry, EntryId, Event, OptionDescription, Placement,
};

/// How many entries a policy is seeded with in one call.
pub const SEED_PAGE: usize = 4096;
