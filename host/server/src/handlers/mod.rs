//! What the service does for each path. `crate::routes` lists which handler is for which.

pub(crate) mod component;
pub(crate) mod entries;
pub(crate) mod health;
pub(crate) mod media;
pub(crate) mod metrics;
pub(crate) mod policy;
pub(crate) mod refresh;
pub(crate) mod stats;

pub use component::{BUILT_IN, MAX_COMPONENT_BYTES};
pub use entries::entry_document;
pub use policy::MAX_POLICY_BYTES;
pub use stats::stats_document;
