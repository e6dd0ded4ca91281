//! The policy and the cache component that were selected while a service was running. The next start uses them again.

use media_cache::component::RememberedComponent;
use media_cache::policy::RememberedPolicy;
use media_cache::{Builder, CacheComponent, Engine};

use crate::engine::engine;
use crate::storage::Storage;

/// The selections made while a service was running.
pub struct Remembered {
    /// The eviction policy.
    pub policy: RememberedPolicy,
    /// The cache component.
    pub component: RememberedComponent,
}

/// The cache component to start with.
#[derive(Clone)]
pub struct StartComponent {
    /// The preferred component.
    pub component: CacheComponent,
    /// The component to use if the preferred one fails to start.
    pub fallback: Option<CacheComponent>,
}

/// The cache component to start with, and the engine that runs it.
#[derive(Clone)]
pub struct Components {
    /// The engine that runs the component.
    pub engine: Engine,
    /// The component.
    pub component: StartComponent,
}

impl StartComponent {
    /// Sets both in a builder.
    pub fn configure(self, builder: Builder) -> Builder {
        let builder = builder.component(self.component);
        match self.fallback {
            Some(fallback) => builder.fallback_component(fallback),
            None => builder,
        }
    }
}

impl Remembered {
    /// The selections stored in the directory.
    pub fn new(storage: &Storage) -> Self {
        Self {
            policy: RememberedPolicy::new(storage.dir(), storage.policy.configured()),
            component: RememberedComponent::new(storage.dir(), storage.component()),
        }
    }

    /// The cache component that was selected during a previous run, if it is still available, with the configured one as its fallback;
    /// otherwise the configured one.
    ///
    /// # Errors
    /// If the configured one cannot be used.
    pub fn components(&self, storage: &Storage) -> anyhow::Result<Components> {
        let engine = engine()?;
        let component = self.component(&engine, storage)?;
        Ok(Components { engine, component })
    }

    fn component(&self, engine: &Engine, storage: &Storage) -> anyhow::Result<StartComponent> {
        let configured = storage.component();
        if let Some(chosen) = self.component.recall() {
            match engine.cache(&chosen) {
                Ok(component) => {
                    let chosen = component.description();
                    tracing::info!(
                        "using the cache component {chosen}, which was chosen during a previous run, instead of {configured}"
                    );
                    // The chosen component works without the configured one.
                    let fallback = engine.cache(&configured).inspect_err(|error| tracing::warn!("{configured}: {error}")).ok();
                    return Ok(StartComponent { component, fallback });
                }
                Err(error) => tracing::error!(
                    "cannot use the cache component {chosen}, which was chosen during a previous run; using {configured} instead: {error}"
                ),
            }
        }
        Ok(StartComponent { component: engine.cache(&configured)?, fallback: None })
    }

    /// Forgets selections made before the configuration changed. Must only be called by the owner of the directory.
    pub fn forget_the_outdated(&self) {
        for (what, forgotten) in
            [("policy", self.policy.forget_the_outdated()), ("cache component", self.component.forget_the_outdated())]
        {
            if let Err(error) = forgotten {
                tracing::warn!("cannot delete the outdated selection of the {what}: {error}");
            }
        }
    }
}
