//! Eviction policies on the host's side: components in a sandbox, and what keeps a cache going whatever they do.

mod component;
mod description;
mod fault;
mod instance;
mod ledger;
mod record;
mod remembered;
pub(crate) mod sandbox;
mod seat;
mod slot;
mod streams;
mod swap;
mod trial;

pub use crate::bindings::policy::exports::media_cache::cache::eviction::{
    Access, Description, Entry, Event, OptionDescription, Placement,
};
pub use component::{PolicyComponent, PolicyOrigin, PolicySpec, PolicySpecError};
pub use fault::PolicyFault;
pub use instance::{CreateError, PolicyInstance, Ranking};
pub(crate) use record::Record;
pub use record::{FaultReport, PolicyStatus, SwapProgress};
pub use remembered::RememberedPolicy;
pub use sandbox::PolicyLimits;
pub use seat::PolicyChoice;
pub use slot::CacheRanking;
pub(crate) use slot::{PAGE, PolicySlot, RankingHandle};
pub use swap::SwapError;
pub(crate) use swap::Swapper;
pub use trial::TrialError;
