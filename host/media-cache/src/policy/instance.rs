//! A running policy.

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

/// A policy that runs in its sandbox, where it has only memory and processor time, within limits.
///
/// The methods are those of the resource `policy` in `wit/policy/eviction.wit`. A fault ends the instance: every later call fails with the
/// same fault.
pub struct PolicyInstance {
    store: Store<SandboxState>,
    bindings: EvictionPolicy,
    description: Description,
    fault: Option<PolicyFault>,
}

/// The state of a policy for one tier. It belongs to the instance that created it.
pub struct PolicyHandle(ResourceAny);

/// Why the state of a policy could not be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The policy rejects its options; the text says why.
    #[error("{0}")]
    Options(String),
    /// The policy faulted.
    #[error("{0}")]
    Fault(#[from] PolicyFault),
}

impl PolicyInstance {
    /// Starts a policy. `engine` must be the one that compiled it.
    ///
    /// # Errors
    /// The policy faults before it has returned its description, or the description is invalid.
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

    /// The description of the policy.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The linear memory of the policy in bytes. It never shrinks.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().memory_bytes()
    }

    /// Creates the state for a tier with this capacity, which must be at least 1.
    ///
    /// # Errors
    /// The policy rejects an option, or faults.
    pub fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<PolicyHandle, CreateError> {
        let created = self.call(|policy, store| policy.policy().call_create(store, capacity, options))?;
        created.map(PolicyHandle).map_err(|why| CreateError::Options(description::one_line(&why)))
    }

    /// Restores entries that were not passed to `place`, coldest first.
    ///
    /// # Errors
    /// The policy faults.
    pub fn restore(&mut self, ranking: &PolicyHandle, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_restore(store, ranking.0, entries))
    }

    /// Reports events, oldest first.
    ///
    /// # Errors
    /// The policy faults.
    pub fn observe(&mut self, ranking: &PolicyHandle, events: &[Event]) -> Result<(), PolicyFault> {
        self.call(|policy, store| policy.policy().call_observe(store, ranking.0, events))
    }

    /// Reports events, and then asks whether to keep `candidate`, for which `needed` must be freed.
    ///
    /// # Errors
    /// The policy faults.
    pub fn place(
        &mut self,
        ranking: &PolicyHandle,
        events: &[Event],
        candidate: Entry,
        needed: u64,
    ) -> Result<Placement, PolicyFault> {
        self.call(|policy, store| policy.policy().call_place(store, ranking.0, events, candidate, needed))
    }

    /// Reports events, and then asks for victims that free at least `needed`.
    ///
    /// # Errors
    /// The policy faults.
    pub fn evict(&mut self, ranking: &PolicyHandle, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.call(|policy, store| policy.policy().call_evict(store, ranking.0, events, needed))
    }

    /// Drops the state of a tier.
    ///
    /// # Errors
    /// The policy faults.
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
            tracing::debug!(policy = self.description.name, "the policy faulted: {error:?}");
            self.fault.insert(sandbox::fault(&error, &self.store)).clone()
        })
    }
}
