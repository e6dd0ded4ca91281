//! The engine that compiles and runs policies. It is synchronous, so that calls are cheap, and each call has a deadline.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use media_cache_components as embedded;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine as Wasmtime};

use crate::bindings::policy::EvictionPolicyPre;
use crate::compiled_components::CompiledComponents;
use crate::component_error::{ComponentError, check_magic, read};
use crate::policy::compile_error::CompileError;
use crate::policy::compile_job::CompileJob;
use crate::policy::compiler::PolicyCompiler;
use crate::policy::component::{PolicyComponent, PolicyOrigin};
use crate::policy::component_limits;
use crate::policy::sandbox::{self, SandboxState};

/// Compiles and runs eviction policies. Cloning is cheap, and clones share everything.
#[derive(Clone)]
pub struct PolicyEngine(Arc<Inner>);

struct Inner {
    wasmtime: Wasmtime,
    linker: Linker<SandboxState>,
    built_in: Box<[OnceLock<PolicyComponent>]>,
    compiled: CompiledComponents,
}

impl PolicyEngine {
    /// A new engine. A process needs only one.
    ///
    /// # Errors
    /// This machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::default())
    }

    /// A new engine that keeps compiled built-in policies in `compiled`.
    pub(crate) fn with_compiled(compiled: CompiledComponents) -> wasmtime::Result<Self> {
        let wasmtime = Wasmtime::new(Config::new().concurrency_support(false).epoch_interruption(true))?;
        sandbox::keep_ticking(&wasmtime)?;
        let linker = sandbox::linker(&wasmtime)?;
        let built_in = embedded::POLICIES.iter().map(|_| OnceLock::new()).collect();
        Ok(Self(Arc::new(Inner { wasmtime, linker, built_in, compiled })))
    }

    /// The built-in policy with this name. It is compiled once.
    ///
    /// # Errors
    /// There is no such policy, or the policy cannot be compiled.
    pub fn built_in(&self, name: &str) -> Result<PolicyComponent, ComponentError> {
        let known = embedded::POLICIES.iter().zip(&self.0.built_in).find(|((known, _), _)| *known == name);
        let Some(((_, bytes), cell)) = known else { return Err(ComponentError::UnknownPolicy(name.into())) };
        if let Some(compiled) = cell.get() {
            return Ok(compiled.clone());
        }
        let origin = PolicyOrigin::BuiltIn(name.into());
        let component = self.0.compiled.compile(&self.0.wasmtime, bytes).map_err(|error| unfit(name, error))?;
        let compiled = self.link(&component, origin, bytes)?;
        Ok(cell.get_or_init(|| compiled).clone())
    }

    /// Reads and compiles a policy.
    ///
    /// # Errors
    /// The file cannot be read, or is not a policy.
    pub fn read(&self, path: &Path) -> Result<PolicyComponent, ComponentError> {
        self.compile(PolicyOrigin::File(path.into()), &read(path)?)
    }

    /// Compiles a policy. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// The bytes are not a policy, or the policy has an import that a policy must not have or is too costly to compile.
    pub fn compile(&self, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        let what = origin.to_string();
        check_magic(&what, bytes)?;
        component_limits::check(&what, bytes)?;
        let component = Component::new(&self.0.wasmtime, bytes).map_err(|error| unfit(&what, error))?;
        self.link(&component, origin, bytes)
    }

    /// Compiles a policy with `compiler`, in another process. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// As for [`compile`](Self::compile). In addition, compiling can exceed a limit of `compiler`, or its process can fail.
    pub async fn compile_by(
        &self,
        compiler: &dyn PolicyCompiler,
        origin: PolicyOrigin,
        bytes: Bytes,
    ) -> Result<PolicyComponent, ComponentError> {
        let what = origin.to_string();
        let interrupted = |_| ComponentError::Compiler { what: origin.to_string(), why: "compiling was interrupted".into() };
        check_magic(&what, &bytes)?;
        let checked = bytes.clone();
        let check = move || component_limits::check(&what, &checked);
        tokio::task::spawn_blocking(check).await.map_err(interrupted)??;
        let job = CompileJob::new(bytes.clone());
        let output = compiler.compile(&job).await.map_err(|error| failed(&origin.to_string(), error))?;
        let (engine, loaded_as) = (self.clone(), origin.clone());
        let load = move || {
            let component = job.load(&engine.0.wasmtime, &output).map_err(|error| failed(&loaded_as.to_string(), error))?;
            engine.link(&component, loaded_as, &bytes)
        };
        tokio::task::spawn_blocking(load).await.map_err(interrupted)?
    }

    fn link(&self, component: &Component, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        let linked = self.0.linker.instantiate_pre(component).and_then(EvictionPolicyPre::new);
        let linked = linked.map_err(|error| unfit(&origin.to_string(), error))?;
        Ok(PolicyComponent::new(linked, origin, bytes))
    }

    pub(crate) fn wasmtime(&self) -> &Wasmtime {
        &self.0.wasmtime
    }
}

fn unfit(what: &str, error: wasmtime::Error) -> ComponentError {
    ComponentError::Unfit { what: what.into(), world: "eviction-policy", error }
}

/// Converts the error of a compiler.
fn failed(what: &str, error: CompileError) -> ComponentError {
    match error {
        CompileError::TooCostly(limit) => ComponentError::TooCostly { what: what.into(), limit },
        CompileError::Invalid(why) => unfit(what, wasmtime::Error::msg(why)),
        CompileError::Broken(why) => ComponentError::Compiler { what: what.into(), why },
    }
}
