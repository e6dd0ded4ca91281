//! What compiles and holds components: one for all caches of a process.
//!
//! There are two engines underneath. Caches are asynchronous; policies are plain functions, and calls into them are cheaper in an
//! engine that knows nothing of concurrency.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine as Wasmtime};

use crate::bindings::cache::media_cache::cache as imports;
use crate::policy::sandbox::{self, PolicyState};
use crate::policy::{PolicyComponent, PolicyOrigin};
use crate::state::State;

/// The components that come with this library.
pub mod embedded {
    /// The cache.
    pub static CACHE: &[u8] = include_bytes!(env!("EMBEDDED_CACHE"));
    /// The name of the policy "least recently used", which a cache has unless it is told otherwise.
    pub const LRU: &str = "lru";
    /// The policies, by name.
    pub static POLICIES: [(&str, &[u8]); 5] = [
        (LRU, include_bytes!(env!("EMBEDDED_POLICY_LRU"))),
        ("sieve", include_bytes!(env!("EMBEDDED_POLICY_SIEVE"))),
        ("s3-fifo", include_bytes!(env!("EMBEDDED_POLICY_S3_FIFO"))),
        ("gdsf", include_bytes!(env!("EMBEDDED_POLICY_GDSF"))),
        ("w-tinylfu", include_bytes!(env!("EMBEDDED_POLICY_W_TINYLFU"))),
    ];

    /// The policy of this name.
    #[must_use]
    pub fn policy(name: &str) -> Option<&'static [u8]> {
        POLICIES.iter().find(|(known, _)| *known == name).map(|(_, component)| *component)
    }

    /// The names of all policies.
    #[must_use]
    pub fn policy_names() -> Vec<&'static str> {
        POLICIES.iter().map(|(name, _)| *name).collect()
    }
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
    /// No policy that comes with this library is called that.
    #[error("there is no built-in policy {0:?}; there is {names}", names = embedded::policy_names().join(", "))]
    UnknownPolicy(String),
    /// It was handed in as bytes, which are not there any more.
    #[error("the uploaded policy is not there any more")]
    Gone,
    /// A policy that wants more than a policy has.
    #[error(
        "{what} is not a component of the world `eviction-policy`: it imports `{import}`, and a policy has inert WASI 0.2 at most"
    )]
    Reaches {
        /// Which component.
        what: String,
        /// What it imports.
        import: String,
    },
    /// It is WebAssembly, and not wrapped up as a component.
    #[error("{0} is a core module and not a component; Rust builds components for the target wasm32-wasip2")]
    CoreModule(String),
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
    built_in_policies: [OnceLock<PolicyComponent>; embedded::POLICIES.len()],
}

/// A cache component, compiled.
#[derive(Clone)]
pub struct CacheComponent(pub(crate) Component);

impl Engine {
    /// An engine of its own. One is enough for a process.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new() -> wasmtime::Result<Self> {
        let caches = Wasmtime::new(&Config::new())?;
        let policies = Wasmtime::new(Config::new().concurrency_support(false).epoch_interruption(true))?;
        sandbox::keep_ticking(&policies)?;
        let cache_linker = cache_linker(&caches)?;
        let policy_linker = sandbox::linker(&policies)?;
        let (built_in_cache, built_in_policies) = Default::default();
        Ok(Self(Arc::new(Inner { caches, policies, cache_linker, policy_linker, built_in_cache, built_in_policies })))
    }

    /// The cache that comes with this library.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn built_in_cache(&self) -> Result<CacheComponent, ComponentError> {
        once(&self.0.built_in_cache, || self.compile_cache("the built-in cache", embedded::CACHE))
    }

    /// A policy that comes with this library. It is compiled once.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be compiled.
    pub fn built_in_policy(&self, name: &str) -> Result<PolicyComponent, ComponentError> {
        let known = embedded::POLICIES.iter().zip(&self.0.built_in_policies).find(|((known, _), _)| *known == name);
        let Some(((_, bytes), cell)) = known else { return Err(ComponentError::UnknownPolicy(name.into())) };
        once(cell, || self.compile_policy(PolicyOrigin::BuiltIn(name.into()), bytes))
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
        self.compile_policy(PolicyOrigin::File(path.into()), &read(path)?)
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

    /// Compiles a policy. `origin` names it in errors and in the status.
    ///
    /// # Errors
    /// When it is not one, or imports what a policy may not.
    pub fn compile_policy(&self, origin: PolicyOrigin, bytes: &[u8]) -> Result<PolicyComponent, ComponentError> {
        let what = origin.to_string();
        check_magic(&what, bytes)?;
        let unfit = |error| ComponentError::Unfit { what: what.clone(), world: "eviction-policy", error };
        let component = Component::new(&self.0.policies, bytes).map_err(unfit)?;
        if let Some(import) = sandbox::reaches_for(&component, &self.0.policies) {
            return Err(ComponentError::Reaches { what, import });
        }
        let linked = self.0.policy_linker.instantiate_pre(&component).and_then(crate::bindings::policy::EvictionPolicyPre::new);
        Ok(PolicyComponent::new(linked.map_err(unfit)?, origin, bytes))
    }

    pub(crate) fn caches(&self) -> (&Wasmtime, &Linker<State>) {
        (&self.0.caches, &self.0.cache_linker)
    }

    pub(crate) fn policies(&self) -> &Wasmtime {
        &self.0.policies
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
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ComponentError::CoreModule(what.into())),
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        _ => Err(ComponentError::NotWasm(what.into())),
    }
}

/// What the cell holds, made first where it is empty.
fn once<T: Clone>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, ComponentError>) -> Result<T, ComponentError> {
    if let Some(made) = cell.get() {
        return Ok(made.clone());
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made).clone())
}
