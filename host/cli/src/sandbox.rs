//! Resource limits for eviction policies.

use std::time::Duration;

use clap::Args;
use media_cache::PolicyLimits;

use crate::storage::MIB;

/// Resource limits for a policy, for commands that may run an untrusted one.
#[derive(Args)]
#[command(next_help_heading = "Eviction policy")]
pub struct Sandbox {
    /// The maximum memory of the eviction policy, in MiB; a million entries need about 100 MiB
    #[arg(long, value_name = "MB", default_value_t = PolicyLimits::default().memory_bytes / MIB)]
    policy_memory_mb: u64,
    /// The maximum processor time of a call to the policy, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = PolicyLimits::default().call_time.as_millis() as u64)]
    policy_call_ms: u64,
}

impl Sandbox {
    pub fn limits(&self) -> PolicyLimits {
        let (memory_bytes, call_time) = (self.policy_memory_mb.saturating_mul(MIB), Duration::from_millis(self.policy_call_ms));
        PolicyLimits { memory_bytes, call_time }
    }
}
