//! The engine that compiles and runs components, for all caches of a process.
//!
//! It consists of two Wasmtime engines. Cache components are asynchronous. Policies are synchronous, and calls to them are cheaper in an
//! engine without support for concurrency.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::cache_engine::CacheEngine;
use crate::compiled_components::CompiledComponents;
use crate::component::cache_component::CacheComponent;
use crate::component::origin::ComponentOrigin;
use crate::component_error::ComponentError;
use crate::policy::compiler::PolicyCompiler;
use crate::policy::component::{PolicyComponent, PolicyOrigin};
use crate::policy::engine::PolicyEngine;

/// Compiles and runs components. Cloning is cheap, and clones share everything.
#[derive(Clone)]
pub struct Engine {
    caches: CacheEngine,
    policies: PolicyEngine,
    compiler: Option<Arc<dyn PolicyCompiler>>,
}

impl Engine {
    /// The version of Wasmtime that compiles and runs components.
    pub const WASMTIME_VERSION: &str = wasmtime_environ::VERSION;

    /// A new engine. A process needs only one.
    ///
    /// # Errors
    /// This machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::default())
    }

    /// A new engine that keeps compiled built-in components and compiled policies in a directory, up to 64 and 512 MiB. It, and the next
    /// engine, load them from there, which is at least ten times as fast as compiling them. The directory is created if it does not exist.
    /// It is used only if it belongs to the user of this process and other users have no access (mode 0700), since anyone who can write to
    /// it can run code in this process.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn keeping_compiled(directory: PathBuf) -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::within(directory))
    }

    fn with_compiled(compiled: CompiledComponents) -> wasmtime::Result<Self> {
        let policies = PolicyEngine::with_compiled(compiled.clone())?;
        Ok(Self { caches: CacheEngine::new(compiled)?, policies, compiler: None })
    }

    /// This engine, with a compiler for [`compile_upload`](Self::compile_upload).
    #[must_use]
    pub fn with_policy_compiler(self, compiler: Arc<dyn PolicyCompiler>) -> Self {
        Self { compiler: Some(compiler), ..self }
    }

    /// The engine for policies.
    #[must_use]
    pub fn policies(&self) -> &PolicyEngine {
        &self.policies
    }

    /// The built-in cache component. It is compiled once.
    ///
    /// # Errors
    /// The component cannot be compiled.
    pub fn built_in_cache(&self) -> Result<CacheComponent, ComponentError> {
        self.caches.built_in()
    }

    /// Reads and compiles a cache component.
    ///
    /// # Errors
    /// The file cannot be read, or is not a cache component.
    pub fn cache_from_file(&self, path: &Path) -> Result<CacheComponent, ComponentError> {
        self.caches.read(path)
    }

    /// Compiles the cache component with this origin.
    ///
    /// # Errors
    /// The component can no longer be read, which is always the case for uploads, or is not a cache component.
    pub fn cache(&self, origin: &ComponentOrigin) -> Result<CacheComponent, ComponentError> {
        match origin {
            ComponentOrigin::BuiltIn => self.built_in_cache(),
            ComponentOrigin::File(path) => self.cache_from_file(path),
            ComponentOrigin::Upload => Err(ComponentError::Gone),
        }
    }

    /// Compiles a cache component. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// The bytes are not a cache component, or the component is too costly to compile.
    pub fn compile_cache(&self, origin: ComponentOrigin, bytes: &[u8]) -> Result<CacheComponent, ComponentError> {
        self.caches.compile(origin, bytes)
    }

    /// Compiles an uploaded cache component on another thread of this process, within the static limits. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// As for [`compile_cache`](Self::compile_cache).
    pub async fn compile_cache_upload(&self, bytes: Bytes) -> Result<CacheComponent, ComponentError> {
        let caches = self.caches.clone();
        let compiled = tokio::task::spawn_blocking(move || caches.compile(ComponentOrigin::Upload, &bytes)).await;
        let what = ComponentOrigin::Upload.to_string();
        compiled.map_err(|_| ComponentError::Compiler { what, why: "compiling was interrupted".into() })?
    }

    /// The built-in policy with this name. It is compiled once.
    ///
    /// # Errors
    /// There is no such policy, or the policy cannot be compiled.
    pub fn built_in_policy(&self, name: &str) -> Result<PolicyComponent, ComponentError> {
        self.policies.built_in(name)
    }

    /// Reads and compiles a policy.
    ///
    /// # Errors
    /// The file cannot be read, or is not a policy.
    pub fn policy_from_file(&self, path: &Path) -> Result<PolicyComponent, ComponentError> {
        self.policies.read(path)
    }

    /// Compiles a policy. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// The bytes are not a policy, or the policy has an import that a policy must not have or is too costly to compile.
    pub fn compile_policy(&self, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        self.policies.compile(origin, bytes)
    }

    /// Compiles an uploaded policy. If this engine has a policy compiler, that compiler is used, and dropping the future cancels the work.
    /// Otherwise, another thread of this process compiles the policy, within the static limits only. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// As for [`compile_policy`](Self::compile_policy). In addition, compiling can exceed a limit of the compiler, or its process can fail.
    pub async fn compile_upload(&self, bytes: Bytes) -> Result<PolicyComponent, ComponentError> {
        if let Some(compiler) = &self.compiler {
            return self.policies.compile_by(&**compiler, PolicyOrigin::Upload, bytes).await;
        }
        let policies = self.policies.clone();
        let compiled = tokio::task::spawn_blocking(move || policies.compile(PolicyOrigin::Upload, &bytes)).await;
        let interrupted =
            |_| ComponentError::Compiler { what: PolicyOrigin::Upload.to_string(), why: "compiling was interrupted".into() };
        compiled.map_err(interrupted)?
    }

    /// Whether a component was compiled by this engine.
    pub(crate) fn has_compiled(&self, component: &CacheComponent) -> bool {
        wasmtime::Engine::same(self.caches.wasmtime(), component.compiled().engine())
    }

    pub(crate) fn caches(&self) -> &CacheEngine {
        &self.caches
    }
}
