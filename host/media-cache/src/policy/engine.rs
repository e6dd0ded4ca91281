//! The engine that compiles and runs policies. It is synchronous, so that calls are cheap, and each call has a deadline.

use std::path::{Path, PathBuf};
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
    /// Compiled built-in policies.
    compiled: CompiledComponents,
    /// Compiled policies from other sources.
    compiled_others: CompiledComponents,
}

impl PolicyEngine {
    /// A new engine. A process needs only one.
    ///
    /// # Errors
    /// This machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::default())
    }

    /// A new engine that keeps compiled policies in a directory, as [`Engine::keeping_compiled`](crate::Engine::keeping_compiled) does.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn keeping_compiled(directory: PathBuf) -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::within(directory))
    }

    /// A new engine that keeps compiled policies in `compiled`.
    pub(crate) fn with_compiled(compiled: CompiledComponents) -> wasmtime::Result<Self> {
        let wasmtime = Wasmtime::new(Config::new().concurrency_support(false).epoch_interruption(true))?;
        sandbox::keep_ticking(&wasmtime)?;
        let linker = sandbox::linker(&wasmtime)?;
        let built_in = embedded::POLICIES.iter().map(|_| OnceLock::new()).collect();
        let compiled_others = compiled.of_policies();
        Ok(Self(Arc::new(Inner { wasmtime, linker, built_in, compiled, compiled_others })))
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
        let component = self.0.compiled_others.compile(&self.0.wasmtime, bytes).map_err(|error| unfit(&what, error))?;
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
        let interrupted = |_| ComponentError::Compiler { what: what.clone(), why: "compiling was interrupted".into() };
        check_magic(&what, &bytes)?;
        let (engine, checked, checked_as) = (self.clone(), bytes.clone(), what.clone());
        let check_and_load = move || {
            component_limits::check(&checked_as, &checked)?;
            Ok(engine.0.compiled_others.load(&engine.0.wasmtime, &checked))
        };
        let component = match tokio::task::spawn_blocking(check_and_load).await.map_err(interrupted)?? {
            Some(component) => component,
            None => {
                let job = CompileJob::new(bytes.clone());
                let output = compiler.compile(&job).await.map_err(|error| failed(&what, error))?;
                let (engine, component) = (self.clone(), bytes.clone());
                let load = move || engine.load_and_keep(&job, &component, &output);
                let loaded = tokio::task::spawn_blocking(load).await.map_err(interrupted)?;
                loaded.map_err(|error| failed(&what, error))?
            }
        };
        let engine = self.clone();
        tokio::task::spawn_blocking(move || engine.link(&component, origin, &bytes)).await.map_err(interrupted)?
    }

    /// Loads the result of a job, which has compiled these bytes, and keeps it.
    fn load_and_keep(&self, job: &CompileJob, bytes: &[u8], output: &[u8]) -> Result<Component, CompileError> {
        let component = job.load(&self.0.wasmtime, output)?;
        self.0.compiled_others.keep(&self.0.wasmtime, bytes, job.artifact(output)?);
        Ok(component)
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
