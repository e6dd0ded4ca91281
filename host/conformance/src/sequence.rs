//! Sequences of calls: the parameters that determine a run completely, apart from the answers of the policy.

use std::fmt;

use crate::access_pattern::AccessPattern;
use crate::random::Random;
use crate::tier::Tier;

/// A sequence of calls to one ranking.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub seed: u64,
    pub tier: Tier,
    pub pattern: AccessPattern,
    /// The number of requests.
    pub requests: u64,
    /// The maximum number of events buffered before the policy observes them.
    pub batch: usize,
    pub clock: Clock,
    pub extra: ExtraOperations,
}

/// How time advances between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Advances,
    Frozen,
    StepsBack,
}

/// The operations mixed in between requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtraOperations {
    /// Entries are restored at the start and occasionally later.
    pub restores: bool,
    /// Entries are removed without being victims.
    pub removals: bool,
    /// Some victims stay and some admitted candidates are not stored.
    pub refusals: bool,
    /// `evict` is called occasionally.
    pub evictions: bool,
}

impl ExtraOperations {
    /// All of them.
    pub const ALL: Self = Self { restores: true, removals: true, refusals: true, evictions: true };
}

impl Clock {
    /// The time of the request after one at `now`, in milliseconds.
    pub fn after(self, now: u64, random: &mut Random) -> u64 {
        match self {
            Self::Advances => now + random.below(2000),
            Self::Frozen => now,
            Self::StepsBack if random.once_in(50) => now.saturating_sub(random.below(3_600_000)),
            Self::StepsBack => now + random.below(2000),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pattern {
            AccessPattern::Zipf(objects, exponent) => write!(f, "{objects} objects by Zipf's law ({exponent})")?,
            AccessPattern::ZipfWithScans(objects) => write!(f, "{objects} objects by Zipf's law, with scans")?,
            AccessPattern::Loop(objects) => write!(f, "{objects} objects in a loop")?,
            AccessPattern::Churn => write!(f, "always new objects, some of them twice")?,
            AccessPattern::OneTime => write!(f, "always new objects")?,
        }
        match self.tier {
            Tier::Items(items) => write!(f, " in {items} items")?,
            Tier::SparseItems(items) => write!(f, " in {items} items with scattered ids")?,
            Tier::Blocks(_) => write!(f, " in {} bytes", self.tier.capacity())?,
        }
        let ExtraOperations { restores, removals, refusals, evictions } = self.extra;
        let extra = [(restores, "restores"), (removals, "removals"), (refusals, "refusals"), (evictions, "evictions")];
        let extra: Vec<&str> = extra.iter().filter(|(is_mixed_in, _)| *is_mixed_in).map(|(_, name)| *name).collect();
        if !extra.is_empty() {
            write!(f, ", with {}", extra.join(" and "))?;
        }
        let clock = match self.clock {
            Clock::Advances => "",
            Clock::Frozen => ", with a stopped clock",
            Clock::StepsBack => ", with a clock that sometimes steps back",
        };
        write!(f, "{clock}, in batches of {}, seed {}", self.batch, self.seed)
    }
}
