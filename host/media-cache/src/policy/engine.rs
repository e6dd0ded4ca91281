//! The engine that compiles and runs policies: synchronous, so that a call costs little, with a deadline for each call.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use media_cache_components as embedded;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine as Wasmtime};

use crate::bindings::policy::EvictionPolicyPre;
use crate::component_error::{ComponentError, check_magic, read};
use crate::contract_version;
use crate::policy::component::{PolicyComponent, PolicyOrigin};
use crate::policy::sandbox::{self, SandboxState};

/// Compiles and runs eviction policies. Cloning it is cheap, and clones share everything.
#[derive(Clone)]
pub struct PolicyEngine(Arc<Inner>);

struct Inner {
    wasmtime: Wasmtime,
    linker: Linker<SandboxState>,
    built_in: Box<[OnceLock<PolicyComponent>]>,
}

impl PolicyEngine {
    /// An engine of its own. One is enough for a process.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        let wasmtime = Wasmtime::new(Config::new().concurrency_support(false).epoch_interruption(true))?;
        sandbox::keep_ticking(&wasmtime)?;
        let linker = sandbox::linker(&wasmtime)?;
        let built_in = embedded::POLICIES.iter().map(|_| OnceLock::new()).collect();
        Ok(Self(Arc::new(Inner { wasmtime, linker, built_in })))
    }

    /// A policy that comes with this library. It is compiled once.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be compiled.
    pub fn built_in(&self, name: &str) -> Result<PolicyComponent, ComponentError> {
        let known = embedded::POLICIES.iter().zip(&self.0.built_in).find(|((known, _), _)| *known == name);
        let Some(((_, bytes), cell)) = known else { return Err(ComponentError::UnknownPolicy(name.into())) };
        if let Some(compiled) = cell.get() {
            return Ok(compiled.clone());
        }
        let compiled = self.compile(PolicyOrigin::BuiltIn(name.into()), bytes)?;
        Ok(cell.get_or_init(|| compiled).clone())
    }

    /// Reads and compiles a policy.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a policy.
    pub fn read(&self, path: &Path) -> Result<PolicyComponent, ComponentError> {
        self.compile(PolicyOrigin::File(path.into()), &read(path)?)
    }

    /// Compiles a policy. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// When it is not a policy, or imports what a policy may not.
    pub fn compile(&self, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        let what = origin.to_string();
        check_magic(&what, bytes)?;
        let unfit = |error| ComponentError::Unfit { what: what.clone(), world: "eviction-policy", error };
        let component = Component::new(&self.0.wasmtime, bytes).map_err(unfit)?;
        contract_version::check(&what, &self.0.wasmtime, &component)?;
        if let Some(import) = sandbox::reaches_for(&component, &self.0.wasmtime) {
            return Err(ComponentError::Reaches { what, import });
        }
        let linked = self.0.linker.instantiate_pre(&component).and_then(EvictionPolicyPre::new);
        Ok(PolicyComponent::new(linked.map_err(unfit)?, origin, bytes))
    }

    pub(crate) fn wasmtime(&self) -> &Wasmtime {
        &self.0.wasmtime
    }
}
