//! Eviction policies on the host's side: components in a sandbox, and what keeps a cache going whatever they do.

pub(crate) mod active_policy;
pub(crate) mod commands;
pub(crate) mod component;
mod description;
pub(crate) mod engine;
mod fallback;
pub(crate) mod fault;
pub(crate) mod instance;
pub(crate) mod record;
mod remembered;
pub(crate) mod residency_log;
pub(crate) mod sandbox;
pub(crate) mod slot;
pub(crate) mod spec;
mod streams;
pub(crate) mod swap;
pub(crate) mod swap_error;
pub(crate) mod tier_handle;
pub(crate) mod trial;
pub(crate) mod types;

pub use component::{PolicyComponent, PolicyOrigin};
pub use engine::PolicyEngine;
pub use fault::PolicyFault;
pub use instance::{CreateError, PolicyHandle, PolicyInstance};
pub use record::{FaultReport, PolicyStatus, PolicyTotals, SwapProgress};
pub use remembered::RememberedPolicy;
pub use sandbox::PolicyLimits;
pub use spec::{PolicyChoice, PolicySpec, PolicySpecError};
pub use swap_error::SwapError;
pub use tier_handle::TierHandle;
pub use trial::TrialError;
pub use types::{Access, Description, Entry, EntryId, Event, MediaKind, OptionDescription, Placement, SEED_PAGE};
