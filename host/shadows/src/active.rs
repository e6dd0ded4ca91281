//! The policy of the cache, as the shadows know it.

use media_cache::policy::{Description, PolicyChoice, PolicySpec, PolicyStatus};

/// The policy of the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// The policy with its options, as on a command line.
    pub name: String,
    /// The same for the same component with the same options, in whatever way they were given.
    identity: String,
    /// How often somebody other than the shadows has swapped the policy.
    pub other_swaps: u64,
}

impl Active {
    /// A policy that nobody has swapped. `description` is its own.
    #[must_use]
    pub fn new(choice: &PolicyChoice, description: &Description) -> Self {
        let identity = identity(&choice.component.digest(), &choice.all_options(description));
        Self { name: choice.spec().to_string(), identity, other_swaps: 0 }
    }

    /// The policy of a cache.
    #[must_use]
    pub fn of_cache(spec: &PolicySpec, status: &PolicyStatus, other_swaps: u64) -> Self {
        Self { name: spec.to_string(), identity: identity(&status.digest, &status.options), other_swaps }
    }

    /// Whether this is the same component with the same options.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

fn identity(digest: &str, options: &[(String, String)]) -> String {
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{digest} {}", options.join(","))
}
