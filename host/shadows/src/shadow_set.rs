//! The shadows of a cache with everything that is derived from them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use media_cache::policy::PolicyEngine;

use crate::active::Active;
use crate::auto::{Auto, Decision};
use crate::feed::Feed;
use crate::figures;
use crate::options::ShadowOptions;
use crate::report::{Report, Used};
use crate::sampling::SamplingRate;
use crate::simulation::Simulation;

/// The shadows of a cache, for programs that call them on a thread of their choice. [`Shadows`](crate::Shadows) does so itself.
pub struct ShadowSet {
    simulation: Simulation,
    /// `None` if the policy is not chosen automatically.
    auto: Option<Auto>,
}

/// What happened when a batch of requests was simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether a window was completed.
    pub is_window_complete: bool,
    /// What the cache should do.
    pub decision: Option<Decision>,
}

impl ShadowSet {
    /// Shadows that have simulated nothing yet. `engine` must be the one that compiled their policies, and `now` is the time in milliseconds
    /// since 1970.
    #[must_use]
    pub fn new(engine: PolicyEngine, options: ShadowOptions, now: u64) -> Self {
        let auto = options.is_automatic.then(Auto::default);
        Self { simulation: Simulation::new(engine, options, now), auto }
    }

    /// Simulates the requests that the feed has received since the previous call. `now` is the time in milliseconds since 1970, and `active`
    /// is the current policy of the cache.
    pub fn process(&mut self, feed: &Feed, now: u64, active: &Active) -> Progress {
        let is_window_complete = self.simulation.simulate(&feed.take(), now, active);
        let auto = self.auto.as_mut().filter(|_| is_window_complete);
        Progress { is_window_complete, decision: auto.and_then(|auto| auto.decide(&self.simulation)) }
    }

    /// The figures so far. `used` is what the caller knows about the use of the processor.
    #[must_use]
    pub fn report(&self, active: &Active, used: Used) -> Report {
        let used = Used { memory_bytes: self.simulation.memory_bytes(), ..used };
        let auto = self.auto.as_ref().map(|auto| auto.report(&self.simulation));
        figures::report(&self.simulation, active, used, auto)
    }

    /// Notes that the cache could not switch to the policy that was decided on.
    pub fn switch_failed(&mut self) {
        if let Some(auto) = &mut self.auto {
            auto.switch_failed(self.simulation.window.number);
        }
    }

    /// Setting it abandons the batch that is being simulated. Nothing can be simulated afterwards.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.simulation.stop_flag()
    }

    /// The share of one core that the shadows may use.
    pub(crate) fn cpu_share(&self) -> f64 {
        self.simulation.options.cpu_share
    }

    /// The sampling rate that fits the allowances, if it is not the current one. `cpu` is the share of the allowed processor time that is
    /// used.
    pub(crate) fn better_rate(&self, cpu: f64, now: u64) -> Option<SamplingRate> {
        self.simulation.better_rate(cpu, now)
    }
}
