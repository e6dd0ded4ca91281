//! A policy that runs.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::component::PolicyComponent;
use super::description;
use super::fault::PolicyFault;
use super::sandbox::{self, PolicyLimits, PolicyState};
use crate::bindings::policy::EvictionPolicy;
use crate::bindings::policy::exports::media_cache::cache::eviction::{self as wit, Description, Entry, Event, Placement};
use crate::engine::Engine;

/// A policy in a store of its own, where it has nothing but its memory, and time within limits.
///
/// The methods are those of the resource `policy` in `wit/eviction.wit`. A fault ends the instance: every call from then on fails
/// with the same one.
pub struct PolicyInstance {
    store: Store<PolicyState>,
    bindings: EvictionPolicy,
    description: Description,
    fault: Option<PolicyFault>,
}

/// A ranking that a policy keeps. It belongs to the instance that made it.
pub struct Ranking(ResourceAny);

/// Why there is no ranking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The policy does not understand its options.
    #[error("{0}")]
    Options(String),
    /// The policy does not work.
    #[error("{0}")]
    Fault(#[from] PolicyFault),
}

impl PolicyInstance {
    /// Starts a policy. `engine` must be the one that compiled it.
    ///
    /// # Errors
    /// When it breaks off, or uses up what it is given, before it has said what it is.
    pub fn new(engine: &Engine, policy: &PolicyComponent, limits: PolicyLimits) -> Result<Self, PolicyFault> {
        let mut store = PolicyState::store(engine.policies(), limits);
        sandbox::begin(&mut store);
        let started = policy.instantiate(&mut store).and_then(|bindings| {
            sandbox::begin(&mut store);
            let description = bindings.media_cache_cache_eviction().call_describe(&mut store)?;
            Ok((bindings, description))
        });
        match started {
            Ok((bindings, description)) => {
                description::check(&description)?;
                Ok(Self { store, bindings, description, fault: None })
            }
            Err(error) => Err(PolicyFault::of(&error, &store)),
        }
    }

    /// What the policy says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its linear memory, in bytes. It never shrinks.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().memory_bytes()
    }

    /// A ranking of entries whose sizes add up to at most `capacity`, which is at least 1.
    ///
    /// # Errors
    /// For an option that it does not understand; for a fault, as all methods.
    pub fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<Ranking, CreateError> {
        let created = self.call(|policy, store| policy.policy().call_create(store, capacity, options))?;
        created.map(Ranking).map_err(|why| CreateError::Options(description::one_line(&why)))
    }

    /// Tells of entries that reside without having been placed, the coldest first.
    ///
    /// # Errors
    /// For a fault.
    pub fn restore(&mut self, ranking: &Ranking, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_restore(store, ranking.0, entries))
    }

    /// Tells what happened, the oldest first.
    ///
    /// # Errors
    /// For a fault.
    pub fn observe(&mut self, ranking: &Ranking, events: &[Event]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_observe(store, ranking.0, events))
    }

    /// Tells what happened, and asks for a place for `candidate`, for which `needed` must be freed.
    ///
    /// # Errors
    /// For a fault.
    pub fn place(&mut self, ranking: &Ranking, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.call(|policy, store| policy.policy().call_place(store, ranking.0, events, candidate, needed))
    }

    /// Tells what happened, and asks for victims until at least `needed` is free.
    ///
    /// # Errors
    /// For a fault.
    pub fn evict(&mut self, ranking: &Ranking, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.call(|policy, store| policy.policy().call_evict(store, ranking.0, events, needed))
    }

    /// Gives a ranking back.
    ///
    /// # Errors
    /// For a fault.
    pub fn forget(&mut self, ranking: Ranking) -> Result<(), PolicyFault> {
        self.call(|_, store| ranking.0.resource_drop(store))
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Guest, &mut Store<PolicyState>) -> wasmtime::Result<T>,
    ) -> Result<T, PolicyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        sandbox::begin(&mut self.store);
        call(self.bindings.media_cache_cache_eviction(), &mut self.store).map_err(|error| {
            tracing::debug!(policy = self.description.name, "the policy broke off: {error:?}");
            self.fault.insert(PolicyFault::of(&error, &self.store)).clone()
        })
    }
}
