//! Why a policy was not compiled.

/// Why a policy was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It would take more than it may. The text says which limit that is.
    #[error("{0}")]
    TooCostly(String),
    /// It is no valid component.
    #[error("{0}")]
    Invalid(String),
    /// The process could not do its job, which is not the fault of the policy.
    #[error("{0}")]
    Broken(String),
}
