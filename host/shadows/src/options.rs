//! The options of the shadows.

use std::time::Duration;

use media_cache::policy::PolicyChoice;
use media_cache_simulator::Objective;

/// The budgets of the shadows, as factors of the cache's own.
pub const FACTORS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// The position of the cache's own budget in [`FACTORS`].
pub(crate) const OWN: usize = 2;

/// The options of the shadows.
#[derive(Clone)]
pub struct ShadowOptions {
    /// The policies to simulate.
    pub policies: Vec<PolicyChoice>,
    /// What to minimise.
    pub objective: Objective,
    /// Whether to decide when the cache should switch to another policy.
    pub is_automatic: bool,
    /// The memory that all shadows may use together, in bytes. Default: 64 MiB.
    pub memory_bytes: u64,
    /// The share of one core that they may use. Default: 0.02.
    pub cpu_share: f64,
    /// The least number of requests in a window. A window also has at least twice as many requests as there are entries. Default: 1,000.
    pub min_window_requests: u64,
    /// The minimum length of a window. Default: one minute.
    pub min_window: Duration,
}

impl ShadowOptions {
    /// The default options for these policies.
    #[must_use]
    pub fn new(policies: Vec<PolicyChoice>) -> Self {
        Self {
            policies,
            objective: Objective::default(),
            is_automatic: false,
            memory_bytes: 64 << 20,
            cpu_share: 0.02,
            min_window_requests: 1000,
            min_window: Duration::from_secs(60),
        }
    }
}
