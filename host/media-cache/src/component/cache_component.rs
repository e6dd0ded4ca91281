//! A cache component that is compiled.

use std::sync::Arc;

use wasmtime::component::Component;

use crate::component::description::ComponentDescription;

/// A cache component, compiled. Cloning it is cheap.
#[derive(Clone)]
pub struct CacheComponent {
    compiled: Component,
    description: Arc<ComponentDescription>,
}

impl CacheComponent {
    pub(crate) fn new(compiled: Component, description: ComponentDescription) -> Self {
        Self { compiled, description: description.into() }
    }

    /// What it says about itself, and where it comes from.
    #[must_use]
    pub fn description(&self) -> &ComponentDescription {
        &self.description
    }

    pub(crate) fn compiled(&self) -> &Component {
        &self.compiled
    }
}
