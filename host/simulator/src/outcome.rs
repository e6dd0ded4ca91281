//! The result of a job.

use std::time::Duration;

use media_cache::policy::{PolicyFault, PolicySpec};

use crate::counts::Counts;

/// The result of replaying a trace through one policy at one capacity.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name in the policy's description.
    pub policy: String,
    /// The origin of the policy, and the options that were set.
    pub spec: PolicySpec,
    /// All options of the policy with their values, including defaults.
    pub options: Vec<(String, String)>,
    /// The capacity in bytes.
    pub capacity: u64,
    /// The counts for the whole trace, or up to the fault.
    pub counts: Counts,
    /// How long the replay took.
    pub time: Duration,
    /// The fault that ended the replay early.
    pub fault: Option<PolicyFault>,
}

impl Outcome {
    /// The share of requests that were misses.
    #[must_use]
    pub fn object_miss_ratio(&self) -> f64 {
        self.counts.object_miss_ratio()
    }

    /// The share of requested bytes that were missed.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        self.counts.byte_miss_ratio()
    }
}
