//! How the cache component names the tiers that a policy ranks for it.

use wasmtime::component::Resource;

/// A tier, as the cache component holds it: a number.
pub struct TierHandle(pub(crate) usize);

/// A handle of the component to one of its tiers.
pub(crate) type TierResource = Resource<TierHandle>;
