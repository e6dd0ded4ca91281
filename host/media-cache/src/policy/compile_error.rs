//! Why a policy was not compiled.

/// Why a policy was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Compiling the policy exceeds, or would exceed, a limit; the text says which.
    #[error("{0}")]
    TooCostly(String),
    /// The policy is not a valid component; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The compiler process failed for a reason other than the policy.
    #[error("{0}")]
    Broken(String),
}
