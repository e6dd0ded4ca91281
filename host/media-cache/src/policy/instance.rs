//! A policy that runs.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::policy::EvictionPolicy;
use crate::bindings::policy::exports::media_cache::policy::eviction as wit;
use crate::policy::component::PolicyComponent;
use crate::policy::description;
use crate::policy::engine::PolicyEngine;
use crate::policy::fault::PolicyFault;
use crate::policy::sandbox::{self, PolicyLimits, SandboxState};
use crate::policy::types::{Description, Entry, Event, Placement};

/// A policy in a store of its own, where it has nothing but its memory, and time within limits.
///
/// The methods are those of the resource `policy` in `wit/policy/eviction.wit`. A fault ends the instance: every call from then on fails
/// with the same one.
pub struct PolicyInstance {
    store: Store<SandboxState>,
    bindings: EvictionPolicy,
    description: Description,
    fault: Option<PolicyFault>,
}

/// A ranking that a policy keeps. It belongs to the instance that made it.
pub struct PolicyHandle(ResourceAny);

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
    pub fn new(engine: &PolicyEngine, policy: &PolicyComponent, limits: PolicyLimits) -> Result<Self, PolicyFault> {
        let mut store = SandboxState::store(engine.wasmtime(), limits);
        sandbox::begin(&mut store);
        let started = policy.instantiate(&mut store).and_then(|bindings| {
            sandbox::begin(&mut store);
            let description = bindings.media_cache_policy_eviction().call_describe(&mut store)?;
            Ok((bindings, description))
        });
        match started {
            Ok((bindings, description)) => {
                description::check(&description)?;
                Ok(Self { store, bindings, description, fault: None })
            }
            Err(error) => Err(sandbox::fault(&error, &store)),
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
    pub fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<PolicyHandle, CreateError> {
        let created = self.call(|policy, store| policy.policy().call_create(store, capacity, options))?;
        created.map(PolicyHandle).map_err(|why| CreateError::Options(description::one_line(&why)))
    }

    /// Tells of entries that reside without having been placed, the coldest first.
    ///
    /// # Errors
    /// For a fault.
    pub fn restore(&mut self, ranking: &PolicyHandle, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_restore(store, ranking.0, entries))
    }

    /// Tells what happened, the oldest first.
    ///
    /// # Errors
    /// For a fault.
    pub fn observe(&mut self, ranking: &PolicyHandle, events: &[Event]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_observe(store, ranking.0, events))
    }

    /// Tells what happened, and asks for a place for `candidate`, for which `needed` must be freed.
    ///
    /// # Errors
    /// For a fault.
    pub fn place(
        &mut self,
        ranking: &PolicyHandle,
        events: &[Event],
        candidate: Entry,
        needed: u64,
    ) -> Result<Placement, PolicyFault> {
        self.call(|policy, store| policy.policy().call_place(store, ranking.0, events, candidate, needed))
    }

    /// Tells what happened, and asks for victims until at least `needed` is free.
    ///
    /// # Errors
    /// For a fault.
    pub fn evict(&mut self, ranking: &PolicyHandle, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.call(|policy, store| policy.policy().call_evict(store, ranking.0, events, needed))
    }

    /// Gives a ranking back.
    ///
    /// # Errors
    /// For a fault.
    pub fn forget(&mut self, ranking: PolicyHandle) -> Result<(), PolicyFault> {
        self.call(|_, store| ranking.0.resource_drop(store))
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Guest, &mut Store<SandboxState>) -> wasmtime::Result<T>,
    ) -> Result<T, PolicyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        sandbox::begin(&mut self.store);
        call(self.bindings.media_cache_policy_eviction(), &mut self.store).map_err(|error| {
            tracing::debug!(policy = self.description.name, "the policy broke off: {error:?}");
            self.fault.insert(sandbox::fault(&error, &self.store)).clone()
        })
    }
}
