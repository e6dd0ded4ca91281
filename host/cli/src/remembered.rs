//! What was chosen while a service ran, and is used again at the next start.

use media_cache::component::RememberedComponent;
use media_cache::policy::RememberedPolicy;
use media_cache::{CacheComponent, Engine};

use crate::storage::Storage;

/// What was chosen while a service ran.
pub struct Remembered {
    /// The eviction policy.
    pub policy: RememberedPolicy,
    /// The cache component.
    pub component: RememberedComponent,
}

impl Remembered {
    /// What the directory remembers.
    pub fn new(storage: &Storage) -> Self {
        Self {
            policy: RememberedPolicy::new(storage.dir(), storage.policy.clone()),
            component: RememberedComponent::new(storage.dir(), storage.component()),
        }
    }

    /// The cache component that was chosen while the service ran before, if that can still be had, or else the configured one.
    ///
    /// # Errors
    /// When the configured one cannot be used.
    pub fn component(&self, engine: &Engine, storage: &Storage) -> anyhow::Result<CacheComponent> {
        let configured = storage.component();
        if let Some(chosen) = self.component.recall() {
            match engine.cache(&chosen) {
                Ok(component) => {
                    let name = named(&component);
                    tracing::info!(
                        "the cache component is {name}, which was chosen while the service ran; {configured} is not used"
                    );
                    return Ok(component);
                }
                Err(error) => tracing::error!(
                    "the cache component that was chosen before, {chosen}, cannot be used; it is {configured} now: {error}"
                ),
            }
        }
        Ok(engine.cache(&configured)?)
    }

    /// Forgets what was chosen before something else was configured. To be called by the owner of the directory.
    pub fn forget_the_outdated(&self) {
        for (what, forgotten) in
            [("policy", self.policy.forget_the_outdated()), ("cache component", self.component.forget_the_outdated())]
        {
            if let Err(error) = forgotten {
                tracing::warn!("cannot tidy up what is remembered of the {what}: {error}");
            }
        }
    }
}

/// Name, version and origin of a component.
fn named(component: &CacheComponent) -> String {
    let description = component.description();
    format!("{} {} ({})", description.name, description.version, description.origin)
}
