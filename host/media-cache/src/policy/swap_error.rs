//! Why a policy was not replaced.

use crate::policy::fault::PolicyFault;
use crate::policy::instance::CreateError;
use crate::policy::trial::TrialError;

/// Why the policy was not replaced. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// One swap at a time.
    #[error("another policy, or another cache component, is being put in place; wait until it is there")]
    Busy,
    /// There was no policy before this one.
    #[error("there is no policy to go back to: none was replaced since the cache was opened")]
    NothingBefore,
    /// It does not work by itself.
    #[error("the policy cannot be used: {0}")]
    Unfit(#[from] TrialError),
    /// It faulted while it was seeded.
    #[error("the policy faulted while it was seeded with the stored entries: {0}")]
    Fault(#[from] PolicyFault),
    /// Seeding it cannot keep up with traffic.
    #[error("seeding the policy with the stored entries cannot keep up with traffic")]
    CannotKeepUp,
    /// The cache component broke down meanwhile.
    #[error("the cache component broke down meanwhile; asking once more is worth a try")]
    Interrupted,
    /// The cache component cannot be asked; the text says why.
    #[error("no policy can be put in place while the cache is degraded: {0}")]
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
