//! The configured policy: a fixed one, or one that the service chooses.

use std::fmt;
use std::str::FromStr;

use media_cache::PolicySpec;
use media_cache::policy::PolicySpecError;

/// The value of `--policy` with which a service chooses the policy itself.
const AUTO: &str = "auto";

/// The policy that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOption {
    /// This policy.
    Fixed(PolicySpec),
    /// The service begins with LRU, and switches when its shadow policies show that another one is better.
    Auto,
}

impl PolicyOption {
    /// The policy to start with.
    pub fn start(&self) -> PolicySpec {
        match self {
            Self::Fixed(policy) => policy.clone(),
            Self::Auto => PolicySpec::default(),
        }
    }

    /// What a selection is remembered for: it is forgotten once something else is configured.
    pub fn configured(&self) -> PolicySpec {
        match self {
            Self::Fixed(policy) => policy.clone(),
            Self::Auto => PolicySpec::built_in(AUTO),
        }
    }
}

impl Default for PolicyOption {
    fn default() -> Self {
        Self::Fixed(PolicySpec::default())
    }
}

impl FromStr for PolicyOption {
    type Err = PolicySpecError;

    fn from_str(text: &str) -> Result<Self, PolicySpecError> {
        if text == AUTO { Ok(Self::Auto) } else { text.parse().map(Self::Fixed) }
    }
}

impl fmt::Display for PolicyOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(policy) => policy.fmt(f),
            Self::Auto => f.write_str(AUTO),
        }
    }
}
