//! What a policy can do wrong while it runs.

use std::time::Duration;

/// Why a policy is not asked any more. Its instance is of no use afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// It broke off.
    #[error("it trapped: {0}")]
    Trapped(String),
    /// It used up the time of a call.
    #[error("a call took more than {} ms of processor time", .0.as_millis())]
    Overran(Duration),
    /// It broke off after it was denied memory.
    #[error("it wanted more than its {} MiB of memory", .0 >> 20)]
    OutOfMemory(u64),
    /// What it says of itself cannot be shown.
    #[error("it describes itself {0}")]
    Description(&'static str),
    /// Its answer cannot be an honest mistake.
    #[error("it named {named} victims where {tracked} entries are tracked")]
    TooManyVictims {
        /// How many ids were in the answer.
        named: usize,
        /// How many could have been.
        tracked: usize,
    },
}

/// Raised in a call that overruns.
#[derive(Debug, thiserror::Error)]
#[error("the time of the call is used up")]
pub(super) struct TimeIsUp;
