//! Faults of a running policy.

use std::time::Duration;

/// Why a policy was disabled. Its instance cannot be used afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// The policy trapped; the text says how.
    #[error("it trapped: {0}")]
    Trapped(String),
    /// A call took longer than this limit of processor time.
    #[error("a call took more than {} ms of processor time", .0.as_millis())]
    Overran(Duration),
    /// The policy trapped after it had been denied memory beyond its limit, given in bytes.
    #[error("it needed more than its limit of {} MiB of memory", .0 >> 20)]
    OutOfMemory(u64),
    /// The description of the policy is invalid, for example too long; the text says how.
    #[error("its description is invalid: {0}")]
    Description(&'static str),
    /// The policy named more victims than there are entries.
    #[error("it named {named} victims although only {tracked} entries are tracked")]
    TooManyVictims {
        /// The number of ids in the answer.
        named: usize,
        /// The number of entries that are tracked.
        tracked: usize,
    },
}

/// The trap of a call that exceeds its time limit.
#[derive(Debug, thiserror::Error)]
#[error("the call exceeded its time limit")]
pub(super) struct TimeIsUp;
