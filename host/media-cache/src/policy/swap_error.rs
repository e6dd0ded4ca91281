//! Why a policy was not replaced.

use crate::policy::fault::PolicyFault;
use crate::policy::instance::CreateError;
use crate::policy::trial::TrialError;

/// Why the policy was not replaced. The old policy remains active.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// Another swap, of a policy or of the cache component, is in progress. Try again once it has ended.
    #[error("another swap of the policy or of the cache component is in progress; try again when it has ended")]
    Busy,
    /// There is no policy to restore, since none has been replaced since the cache was opened.
    #[error("there is no previous policy to restore: none has been replaced since the cache was opened")]
    NothingBefore,
    /// The new policy failed its trial.
    #[error("the policy cannot be used: {0}")]
    Unfit(#[from] TrialError),
    /// The new policy faulted while it was being seeded.
    #[error("the policy faulted while it was being seeded with the stored entries: {0}")]
    Fault(#[from] PolicyFault),
    /// Seeding the new policy cannot keep up with traffic.
    #[error("seeding the policy with the stored entries cannot keep up with traffic")]
    CannotKeepUp,
    /// The cache component crashed during the swap. Retrying may succeed.
    #[error("the cache component crashed during the swap; try again")]
    Interrupted,
    /// The cache component cannot be called; the text says why. A swap that has already begun may still succeed.
    #[error("the policy cannot be replaced while the cache is degraded: {0}")]
    Unavailable(String),
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}

impl From<CreateError> for SwapError {
    fn from(error: CreateError) -> Self {
        Self::Unfit(error.into())
    }
}
