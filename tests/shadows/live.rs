//! A simulated cache whose requests are observed by shadows, as those of a real one are.

use std::sync::LazyLock;

use media_cache::policy::{
    ObservedKind, ObservedRequest, PolicyChoice, PolicyEngine, PolicyInstance, PolicyLimits, PolicySpec, RequestObserver,
};
use media_cache_shadows::{Active, Feed, Progress, Report, ShadowOptions, ShadowSet, Used};
use media_cache_simulator::{Counts, ObjectRequest, Sandboxed, SimulatedCache};

pub static ENGINE: LazyLock<PolicyEngine> = LazyLock::new(|| PolicyEngine::new().unwrap());

/// The time between two requests, in milliseconds.
const PAUSE: u64 = 1;

/// A cache with shadows.
pub struct Live {
    pub feed: Feed,
    pub shadows: ShadowSet,
    pub active: Active,
    cache: SimulatedCache,
    policy: Sandboxed,
    now: u64,
}

/// A policy with its options.
pub fn choose(policy: &str) -> PolicyChoice {
    policy.parse::<PolicySpec>().unwrap().choose(&ENGINE).unwrap()
}

/// A policy as that of a cache.
pub fn active(policy: &str) -> Active {
    let choice = choose(policy);
    let instance = PolicyInstance::new(&ENGINE, &choice.component, PolicyLimits::default()).unwrap();
    Active::new(&choice, instance.description())
}

/// Options for these policies, with windows that may be arbitrarily short.
pub fn options(policies: &[&str]) -> ShadowOptions {
    let mut options = ShadowOptions::new(policies.iter().map(|policy| choose(policy)).collect());
    options.min_window = std::time::Duration::ZERO;
    options
}

fn start(policy: &str, capacity: u64) -> Sandboxed {
    Sandboxed::new(&ENGINE, &choose(policy), PolicyLimits::default(), capacity).unwrap()
}

impl Live {
    pub fn new(policy: &str, capacity: u64, options: ShadowOptions) -> Self {
        let (cache, shadows) = (SimulatedCache::new(capacity), ShadowSet::new(ENGINE.clone(), options, 0));
        Self { feed: Feed::default(), shadows, active: active(policy), cache, policy: start(policy, capacity), now: 0 }
    }

    /// Requests an object. Returns whether it is a hit.
    pub fn request(&mut self, fingerprint: u64, size: u64) -> bool {
        self.now += PAUSE;
        let request = ObjectRequest::new(fingerprint, size, self.now);
        let entries = self.cache.len() as u64;
        let is_hit = self.cache.request(&mut self.policy, &request).unwrap();
        let kind = if is_hit { ObservedKind::Hit } else { ObservedKind::Miss };
        self.observe(entries, kind, &ObjectRequest { cost: 1, ..request });
        is_hit
    }

    pub fn observe(&self, entries: u64, kind: ObservedKind, request: &ObjectRequest) {
        let ObjectRequest { fingerprint, size, at, cost, waiters, kind: media, .. } = *request;
        let observed = ObservedRequest { kind, fingerprint, size, at, cost, waiters, media };
        self.feed.observe(self.cache.capacity(), entries, &[observed]);
    }

    /// Lets the shadows simulate the requests so far, and follows their decision.
    pub fn process(&mut self) -> Progress {
        let progress = self.shadows.process(&self.feed, self.now, &self.active);
        if let Some(decision) = &progress.decision {
            let other_swaps = self.active.other_swaps;
            self.swap(&decision.to);
            self.active.other_swaps = other_swaps;
        }
        progress
    }

    /// Swaps the policy by hand.
    pub fn swap(&mut self, policy: &str) {
        self.policy = start(policy, self.cache.capacity());
        let entries = self.cache.entries();
        self.cache.seed(&mut self.policy, &entries).unwrap();
        let other_swaps = self.active.other_swaps + 1;
        self.active = active(policy);
        self.active.other_swaps = other_swaps;
    }

    pub fn counts(&self) -> Counts {
        self.cache.counts()
    }

    pub fn report(&self) -> Report {
        self.shadows.report(&self.active, Used::default())
    }
}
