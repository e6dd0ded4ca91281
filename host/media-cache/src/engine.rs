//! What compiles and holds components: one for all caches of a process.
//!
//! There are two engines underneath. Caches are asynchronous; policies are plain functions, and calls into them are cheaper in an
//! engine that knows nothing of concurrency.

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

/// What compiles and holds components. Cloning it is cheap, and clones share everything.
#[derive(Clone)]
pub struct Engine {
    caches: CacheEngine,
    policies: PolicyEngine,
    compiler: Option<Arc<dyn PolicyCompiler>>,
}

impl Engine {
    /// The version of Wasmtime, which compiles and runs components.
    pub const WASMTIME_VERSION: &str = wasmtime_environ::VERSION;

    /// An engine of its own. One is enough for a process.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        Self::with_compiled(CompiledComponents::default())
    }

    /// The same, and compiled built-in components are kept in a directory, from which the next engine loads them: that is ten times as
    /// fast as compiling them. The directory is created if it does not exist. It is used if it belongs to the user of this process
    /// and nobody else can use it (mode 0700): a user who can write to it can run code in this process.
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

    /// The part that compiles and runs policies.
    #[must_use]
    pub fn policies(&self) -> &PolicyEngine {
        &self.policies
    }

    /// The built-in cache. It is compiled once.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn built_in_cache(&self) -> Result<CacheComponent, ComponentError> {
        self.caches.built_in()
    }

    /// Reads and compiles a cache component.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a cache component.
    pub fn cache_from_file(&self, path: &Path) -> Result<CacheComponent, ComponentError> {
        self.caches.read(path)
    }

    /// Compiles the cache component from this place.
    ///
    /// # Errors
    /// When it cannot be read any more, or is not a cache component.
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
    /// When it is not a cache component, or compiling it costs too much.
    pub fn compile_cache(&self, origin: ComponentOrigin, bytes: &[u8]) -> Result<CacheComponent, ComponentError> {
        self.caches.compile(origin, bytes)
    }

    /// Compiles a cache component that somebody handed in, on another thread of this process, within the static limits. Must be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    /// As for [`compile_cache`](Self::compile_cache).
    pub async fn compile_cache_upload(&self, bytes: Bytes) -> Result<CacheComponent, ComponentError> {
        let caches = self.caches.clone();
        let compiled = tokio::task::spawn_blocking(move || caches.compile(ComponentOrigin::Upload, &bytes)).await;
        let what = ComponentOrigin::Upload.to_string();
        compiled.map_err(|_| ComponentError::Compiler { what, why: "it was interrupted".into() })?
    }

    /// A policy that comes with this library. It is compiled once.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be compiled.
    pub fn built_in_policy(&self, name: &str) -> Result<PolicyComponent, ComponentError> {
        self.policies.built_in(name)
    }

    /// Reads and compiles a policy.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a policy.
    pub fn policy_from_file(&self, path: &Path) -> Result<PolicyComponent, ComponentError> {
        self.policies.read(path)
    }

    /// Compiles a policy. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// When it is not a policy, or imports what a policy may not.
    pub fn compile_policy(&self, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        self.policies.compile(origin, bytes)
    }

    /// Compiles a policy that somebody handed in: by the compiler of this engine, where dropping the future abandons the work, or
    /// else on another thread of this process, within the static limits only. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// As for [`compile_policy`](Self::compile_policy), and when compiling takes more than it may.
    pub async fn compile_upload(&self, bytes: Bytes) -> Result<PolicyComponent, ComponentError> {
        if let Some(compiler) = &self.compiler {
            return self.policies.compile_by(&**compiler, PolicyOrigin::Upload, bytes).await;
        }
        let policies = self.policies.clone();
        let compiled = tokio::task::spawn_blocking(move || policies.compile(PolicyOrigin::Upload, &bytes)).await;
        let interrupted = |_| ComponentError::Compiler { what: PolicyOrigin::Upload.to_string(), why: "it was interrupted".into() };
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
