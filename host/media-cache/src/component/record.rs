//! The status of a cache's component, across its instances. Any thread can read it at any time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::component::cache_component::CacheComponent;
use crate::component::description::ComponentDescription;

/// Records what [`ComponentStatus`] reports.
pub(crate) struct ComponentRecord(Mutex<Facts>);

struct Facts {
    current: CacheComponent,
    previous: Option<CacheComponent>,
    since: SystemTime,
    swaps: u64,
    failed_swaps: u64,
    swap: Option<ComponentDescription>,
    fallback_from: Option<ComponentDescription>,
}

/// The status of a cache's component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// The active component.
    pub current: ComponentDescription,
    /// When it became active.
    pub since: SystemTime,
    /// The component that a rollback would restore.
    pub previous: Option<ComponentDescription>,
    /// How often the component was replaced since the cache was opened.
    pub swaps: u64,
    /// How often replacing the component failed since the cache was opened.
    pub failed_swaps: u64,
    /// The new component of the swap in progress.
    pub swap: Option<ComponentDescription>,
    /// The component that failed to start, if the current one is running as its fallback: see
    /// [`Builder::fallback_component`](crate::Builder::fallback_component).
    pub fallback_from: Option<ComponentDescription>,
}

impl ComponentRecord {
    pub fn new(current: CacheComponent) -> Self {
        let since = SystemTime::now();
        Self(Mutex::new(Facts { current, previous: None, since, swaps: 0, failed_swaps: 0, swap: None, fallback_from: None }))
    }

    /// The active component.
    pub fn current(&self) -> CacheComponent {
        self.facts().current.clone()
    }

    /// The component that was active before the last swap.
    pub fn previous(&self) -> Option<CacheComponent> {
        self.facts().previous.clone()
    }

    /// Begins a swap, unless one is in progress.
    pub fn begin_swap(&self, to: &CacheComponent) -> bool {
        let mut facts = self.facts();
        let free = facts.swap.is_none();
        if free {
            facts.swap = Some(to.description().clone());
        }
        free
    }

    /// Ends a swap, whether it succeeded or not.
    pub fn end_swap(&self) {
        self.facts().swap = None;
    }

    /// Records that a swap failed.
    pub fn failed(&self) {
        self.facts().failed_swaps += 1;
    }

    /// Records that another component has taken over.
    pub fn swapped(&self, component: CacheComponent) {
        let mut facts = self.facts();
        // Swapping to the same component again must not lose the previous one.
        if facts.current.description().digest != component.description().digest {
            facts.previous = Some(facts.current.clone());
        }
        (facts.current, facts.since, facts.fallback_from) = (component, SystemTime::now(), None);
        facts.swaps += 1;
    }

    /// Records that the component failed to start, and that `to` runs in its place.
    pub fn fell_back(&self, to: CacheComponent) {
        let mut facts = self.facts();
        facts.fallback_from = Some(facts.current.description().clone());
        (facts.current, facts.since) = (to, SystemTime::now());
    }

    /// The current status.
    pub fn status(&self) -> ComponentStatus {
        let facts = self.facts();
        ComponentStatus {
            current: facts.current.description().clone(),
            since: facts.since,
            previous: facts.previous.as_ref().map(|previous| previous.description().clone()),
            swaps: facts.swaps,
            failed_swaps: facts.failed_swaps,
            swap: facts.swap.clone(),
            fallback_from: facts.fallback_from.clone(),
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
