//! The handlers of the service. `crate::routes` lists the handlers of each path.

pub(crate) mod check;
pub(crate) mod component;
pub(crate) mod entries;
pub(crate) mod health;
pub(crate) mod media;
pub(crate) mod metrics;
pub(crate) mod policy;
pub(crate) mod refresh;
pub(crate) mod shadows;
pub(crate) mod stats;

pub use component::{BUILT_IN, MAX_COMPONENT_BYTES};
pub use entries::entry_document;
pub use media::stored_document;
pub use policy::{MAX_POLICY_BYTES, policies_document, policy_document};
pub use refresh::refreshed_document;
pub use stats::stats_document;
