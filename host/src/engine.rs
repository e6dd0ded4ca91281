//! What compiles and holds components: one for all caches of a process.
//!
//! There are two engines underneath. Caches are asynchronous; policies are plain functions, and calls into them are cheaper in an
//! engine that knows nothing of concurrency.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine as Wasmtime};

use crate::bindings::cache::media_cache::cache as imports;
use crate::policy::PolicyState;
use crate::state::State;

/// The components that come with this library.
pub mod embedded {
    /// The cache.
    pub static CACHE: &[u8] = include_bytes!(env!("MEDIA_CACHE_COMPONENT"));
    /// The policy "least recently used".
    pub static LRU: &[u8] = include_bytes!(env!("MEDIA_CACHE_POLICY_LRU"));
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read the component {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// It is something else altogether.
    #[error("{0} is not WebAssembly")]
    NotWasm(String),
    /// It is no WebAssembly component, or not one of this world.
    #[error("{what} is not a component of the world `{world}`: {error:#}")]
    Unfit {
        /// Which component.
        what: String,
        /// What it should have been.
        world: &'static str,
        /// What is wrong with it.
        error: wasmtime::Error,
    },
}

/// What compiles and holds components. Cloning it is cheap, and clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    caches: Wasmtime,
    policies: Wasmtime,
    cache_linker: Linker<State>,
    policy_linker: Linker<PolicyState>,
    built_in_cache: OnceLock<CacheComponent>,
    built_in_lru: OnceLock<PolicyComponent>,
}

/// A cache component, compiled.
#[derive(Clone)]
pub struct CacheComponent(pub(crate) Component);

/// A policy component, compiled.
#[derive(Clone)]
pub struct PolicyComponent {
    pub(crate) component: Component,
    pub(crate) origin: Arc<str>,
}

impl Engine {
    /// An engine of its own. One is enough for a process.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        let caches = Wasmtime::new(&Config::new())?;
        let policies = Wasmtime::new(Config::new().concurrency_support(false))?;
        let cache_linker = cache_linker(&caches)?;
        let mut policy_linker = Linker::new(&policies);
        wasmtime_wasi::p2::add_to_linker_sync::<PolicyState>(&mut policy_linker)?;
        let (built_in_cache, built_in_lru) = Default::default();
        Ok(Self(Arc::new(Inner { caches, policies, cache_linker, policy_linker, built_in_cache, built_in_lru })))
    }

    /// The cache that comes with this library.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn built_in_cache(&self) -> Result<CacheComponent, ComponentError> {
        once(&self.0.built_in_cache, || self.compile_cache("the built-in cache", embedded::CACHE))
    }

    /// The policy "least recently used" that comes with this library.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn built_in_lru(&self) -> Result<PolicyComponent, ComponentError> {
        once(&self.0.built_in_lru, || self.compile_policy("lru", embedded::LRU))
    }

    /// Reads a cache from a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not one.
    pub fn cache_from_file(&self, path: &Path) -> Result<CacheComponent, ComponentError> {
        self.compile_cache(&path.display().to_string(), &read(path)?)
    }

    /// Reads a policy from a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not one.
    pub fn policy_from_file(&self, path: &Path) -> Result<PolicyComponent, ComponentError> {
        self.compile_policy(&path.display().to_string(), &read(path)?)
    }

    /// Compiles a cache. `what` names it in errors.
    ///
    /// # Errors
    /// When it is not one.
    pub fn compile_cache(&self, what: &str, bytes: &[u8]) -> Result<CacheComponent, ComponentError> {
        check_magic(what, bytes)?;
        let compiled = Component::new(&self.0.caches, bytes).and_then(|component| {
            self.0.cache_linker.instantiate_pre(&component).and_then(crate::bindings::cache::MediaCachePre::new)?;
            Ok(CacheComponent(component))
        });
        compiled.map_err(|error| ComponentError::Unfit { what: what.into(), world: "media-cache", error })
    }

    /// Compiles a policy. `what` names it in errors and in the status.
    ///
    /// # Errors
    /// When it is not one.
    pub fn compile_policy(&self, what: &str, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        check_magic(what, bytes)?;
        let compiled = Component::new(&self.0.policies, bytes).and_then(|component| {
            self.0.policy_linker.instantiate_pre(&component).and_then(crate::bindings::policy::EvictionPolicyPre::new)?;
            Ok(PolicyComponent { component, origin: what.into() })
        });
        compiled.map_err(|error| ComponentError::Unfit { what: what.into(), world: "eviction-policy", error })
    }

    pub(crate) fn caches(&self) -> (&Wasmtime, &Linker<State>) {
        (&self.0.caches, &self.0.cache_linker)
    }

    pub(crate) fn policies(&self) -> (&Wasmtime, &Linker<PolicyState>) {
        (&self.0.policies, &self.0.policy_linker)
    }
}

/// Everything that a cache may import.
fn cache_linker(engine: &Wasmtime) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::clocks::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::filesystem::add_to_linker(&mut linker)?;
    crate::imports::list_all_directories(&mut linker)?;
    imports::blobs::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    imports::downloader::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    imports::transcoder::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    imports::eviction::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    std::fs::read(path).map_err(|error| ComponentError::Read { path: path.display().to_string(), error })
}

/// Tells a wrong file from a wrong component, of which much more can be said.
fn check_magic(what: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    if bytes.starts_with(b"\0asm") { Ok(()) } else { Err(ComponentError::NotWasm(what.into())) }
}

/// What the cell holds, made first where it is empty.
fn once<T: Clone>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, ComponentError>) -> Result<T, ComponentError> {
    if let Some(made) = cell.get() {
        return Ok(made.clone());
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made).clone())
}
