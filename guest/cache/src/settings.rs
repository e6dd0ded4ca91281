//! The options of a cache, with defaults filled in.

use media_cache_key_rules::{KeyRules, ParameterRule};

pub use crate::bindings::exports::media_cache::cache::cache::Durability;
use crate::bindings::exports::media_cache::cache::cache::{self, Options};
use crate::failure_ttl::FailureTtl;

const MIB: u64 = 1 << 20;

/// See `options` in the WIT.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the directory, relative to the first preopened directory.
    pub directory: String,
    /// The disk budget in bytes, at least 1.
    pub max_disk_bytes: u64,
    /// The part of the disk budget that is reserved for everything but entries, in bytes.
    pub reserved_disk_bytes: u64,
    /// The maximum number of resident entries; 0 for none.
    pub max_memory_items: u32,
    /// The maximum size of the memory tier in bytes.
    pub max_memory_bytes: u64,
    /// The maximum number of open files; 0 for none.
    pub max_open_files: u32,
    /// How long failures are remembered.
    pub failure_ttl: FailureTtl,
    /// Which URLs denote the same entry.
    pub key_rules: KeyRules,
    /// Options for the eviction policy, as pairs of name and value.
    pub policy_options: Vec<(String, String)>,
    /// What an entry survives once it is stored.
    pub durability: Durability,
}

impl Settings {
    /// The budget of the entries in bytes, at least 1.
    #[must_use]
    pub fn max_entry_bytes(&self) -> u64 {
        self.max_disk_bytes - self.reserved_disk_bytes
    }
}

impl From<Options> for Settings {
    fn from(options: Options) -> Self {
        let max_disk_bytes = options.max_disk_bytes.unwrap_or(500 * MIB).max(1);
        Self {
            directory: options.directory.unwrap_or_else(|| "media_cache".into()),
            max_disk_bytes,
            reserved_disk_bytes: options.reserved_disk_bytes.unwrap_or(max_disk_bytes / 8).min(max_disk_bytes - 1),
            max_memory_items: options.max_memory_items.unwrap_or(64),
            max_memory_bytes: options.max_memory_bytes.unwrap_or(256 * MIB),
            max_open_files: options.max_open_files.unwrap_or(256),
            failure_ttl: FailureTtl::new(options.failure_memory_ms, options.max_retry_after_ms),
            key_rules: key_rules(options.key_rules),
            policy_options: options.policy_options,
            durability: options.durability.unwrap_or(Durability::None),
        }
    }
}

/// A rule that cannot match any URL has no effect, so it is left out.
fn key_rules(rules: cache::KeyRules) -> KeyRules {
    let rule = |rule: &cache::ParameterRule| ParameterRule::new(&rule.host, rule.drop.iter().map(String::as_str)).ok();
    KeyRules {
        drop_fragments: rules.drop_fragments,
        lower_case_hosts: rules.lower_case_hosts,
        parameters: rules.parameters.iter().filter_map(rule).collect(),
    }
}
