//! Cache components: their descriptions, their status, and the errors of swaps.

pub(crate) mod cache_component;
pub(crate) mod description;
pub(crate) mod origin;
pub(crate) mod record;
pub(crate) mod remembered;
pub(crate) mod swap_error;

pub use cache_component::CacheComponent;
pub use description::ComponentDescription;
pub use origin::ComponentOrigin;
pub use record::ComponentStatus;
pub use remembered::RememberedComponent;
pub use swap_error::ComponentSwapError;
