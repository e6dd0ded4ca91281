//! The options of a cache, in the form that the component expects. For options that are not set, the component uses its own defaults.

use std::num::NonZeroU64;
use std::time::Duration;

use media_cache_interfaces::FailureKind;
use media_cache_key_rules::{KeyRules, ParameterRule};

use crate::bindings::cache::exports::media_cache::cache::cache as component;
use crate::defaults::{self, reserved_by_default};

#[derive(Default)]
pub(crate) struct Options {
    pub max_disk_bytes: Option<NonZeroU64>,
    pub reserved_disk_bytes: Option<u64>,
    pub max_memory_items: Option<u32>,
    pub max_memory_bytes: Option<u64>,
    pub max_open_files: Option<u32>,
    pub failure_memory: Vec<(FailureKind, Duration)>,
    pub max_retry_after: Option<Duration>,
    pub key_rules: KeyRules,
    pub durability: Option<component::Durability>,
}

impl Options {
    /// The capacities with which the policy will be created, except those that are left to the component's defaults.
    pub fn capacities(&self) -> impl Iterator<Item = u64> + use<> {
        let (disk, memory) = (self.max_disk_bytes(), self.max_memory_items.map(u64::from));
        [Some(1), Some(disk - self.reserved_disk_bytes()), memory].into_iter().flatten()
    }

    fn max_disk_bytes(&self) -> u64 {
        self.max_disk_bytes.unwrap_or(defaults::MAX_DISK_BYTES).get()
    }

    /// The part of the budget that is reserved for everything but entries, in bytes.
    pub fn reserved_disk_bytes(&self) -> u64 {
        let budget = self.max_disk_bytes();
        self.reserved_disk_bytes.unwrap_or_else(|| reserved_by_default(budget)).min(budget - 1)
    }

    pub fn for_component(self) -> component::Options {
        component::Options {
            directory: Some(".".into()),
            max_disk_bytes: self.max_disk_bytes.map(NonZeroU64::get),
            reserved_disk_bytes: Some(self.reserved_disk_bytes()),
            max_memory_items: self.max_memory_items,
            max_memory_bytes: self.max_memory_bytes,
            max_open_files: self.max_open_files,
            failure_memory_ms: self.failure_memory.into_iter().map(|(kind, time)| (kind.into(), milliseconds(time))).collect(),
            max_retry_after_ms: self.max_retry_after.map(milliseconds),
            key_rules: self.key_rules.into(),
            policy_options: Vec::new(),
            durability: self.durability,
        }
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl From<KeyRules> for component::KeyRules {
    fn from(rules: KeyRules) -> Self {
        let rule = |rule: &ParameterRule| component::ParameterRule { host: rule.host().into(), drop: rule.drop().to_vec() };
        Self {
            drop_fragments: rules.drop_fragments,
            lower_case_hosts: rules.lower_case_hosts,
            parameters: rules.parameters.iter().map(rule).collect(),
        }
    }
}
