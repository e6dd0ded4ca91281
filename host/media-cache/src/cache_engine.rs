//! The engine that compiles and runs cache components. It is asynchronous, and provides all imports that a cache may have.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use media_cache_components as embedded;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine as Wasmtime};

use crate::bindings::cache::MediaCachePre;
use crate::compiled_components::CompiledComponents;
use crate::component::cache_component::CacheComponent;
use crate::component::description::ComponentDescription;
use crate::component::origin::ComponentOrigin;
use crate::component_error::{ComponentError, check_magic, read};
use crate::contract_version;
use crate::host_state::HostState;
use crate::imports;
use crate::policy::component_limits;

/// The world of cache components.
const WORLD: &str = "media-cache";

/// Compiles and runs cache components. Cloning it is cheap, and clones share everything.
#[derive(Clone)]
pub(crate) struct CacheEngine(Arc<Inner>);

struct Inner {
    wasmtime: Wasmtime,
    linker: Linker<HostState>,
    built_in: OnceLock<CacheComponent>,
    compiled: CompiledComponents,
}

impl CacheEngine {
    /// Creates an engine that keeps compiled built-in components in `compiled`.
    pub fn new(compiled: CompiledComponents) -> wasmtime::Result<Self> {
        let wasmtime = Wasmtime::new(&Config::new())?;
        let mut linker = Linker::new(&wasmtime);
        imports::add_to_linker(&mut linker)?;
        Ok(Self(Arc::new(Inner { wasmtime, linker, built_in: OnceLock::new(), compiled })))
    }

    /// The built-in cache. It is compiled once.
    pub fn built_in(&self) -> Result<CacheComponent, ComponentError> {
        if let Some(compiled) = self.0.built_in.get() {
            return Ok(compiled.clone());
        }
        let compile = || self.0.compiled.compile(&self.0.wasmtime, embedded::CACHE);
        let compiled = self.compile_with(ComponentOrigin::BuiltIn, embedded::CACHE, compile)?;
        Ok(self.0.built_in.get_or_init(|| compiled).clone())
    }

    /// Reads and compiles a cache component.
    pub fn read(&self, path: &Path) -> Result<CacheComponent, ComponentError> {
        self.compile(ComponentOrigin::File(path.into()), &read(path)?)
    }

    /// Compiles a cache component. `origin` names it in errors.
    pub fn compile(&self, origin: ComponentOrigin, bytes: &[u8]) -> Result<CacheComponent, ComponentError> {
        self.compile_with(origin, bytes, || Component::new(&self.0.wasmtime, bytes))
    }

    fn compile_with(
        &self,
        origin: ComponentOrigin,
        bytes: &[u8],
        compile: impl FnOnce() -> wasmtime::Result<Component>,
    ) -> Result<CacheComponent, ComponentError> {
        let what = origin.to_string();
        let what = what.as_str();
        check_magic(what, bytes)?;
        component_limits::check_cost(what, WORLD, bytes)?;
        let unfit = |error| ComponentError::Unfit { what: what.into(), world: WORLD, error };
        let component = compile().map_err(unfit)?;
        contract_version::check(what, &self.0.wasmtime, &component)?;
        self.0.linker.instantiate_pre(&component).and_then(MediaCachePre::new).map_err(unfit)?;
        Ok(CacheComponent::new(component, ComponentDescription::of(origin, bytes)))
    }

    pub fn wasmtime(&self) -> &Wasmtime {
        &self.0.wasmtime
    }

    pub fn linker(&self) -> &Linker<HostState> {
        &self.0.linker
    }
}
