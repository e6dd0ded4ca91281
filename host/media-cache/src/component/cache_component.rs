//! A compiled cache component.

use std::sync::Arc;

use wasmtime::component::Component;

use crate::component::description::ComponentDescription;

/// A compiled cache component. Cloning is cheap.
#[derive(Clone)]
pub struct CacheComponent {
    compiled: Component,
    description: Arc<ComponentDescription>,
}

impl CacheComponent {
    pub(crate) fn new(compiled: Component, description: ComponentDescription) -> Self {
        Self { compiled, description: description.into() }
    }

    /// The name, version and origin of the component.
    #[must_use]
    pub fn description(&self) -> &ComponentDescription {
        &self.description
    }

    pub(crate) fn compiled(&self) -> &Component {
        &self.compiled
    }
}
