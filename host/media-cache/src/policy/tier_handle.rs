//! Handles by which the cache component identifies its tiers.

use wasmtime::component::Resource;

/// Identifies a tier of a cache component.
pub struct TierHandle(pub(crate) usize);

/// A component's handle to one of its tiers.
pub(crate) type TierResource = Resource<TierHandle>;
