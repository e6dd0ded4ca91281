//! Why a cache component was not replaced.

/// Why the cache component was not replaced. The old component continues to serve.
#[derive(Debug, thiserror::Error)]
pub enum ComponentSwapError {
    /// Another swap, of the cache component or of a policy, is in progress. Try again once it has ended.
    #[error("another swap of the cache component or of the policy is in progress; try again when it has ended")]
    Busy,
    /// There is no component to restore, since none has been replaced since the cache was opened.
    #[error("there is no previous cache component to restore: none has been replaced since the cache was opened")]
    NothingBefore,
    /// The directory is not loaded yet. Try again later.
    #[error("the directory is still being loaded; try again later")]
    Loading,
    /// The new component failed to start, or could not load the index log.
    #[error("the new cache component failed to start: {0}")]
    Start(String),
    /// The old component could not save its index.
    #[error("the current cache component could not save its index: {0}")]
    Save(String),
    /// The new component started but could not take over.
    #[error("the new cache component could not take over: {0}")]
    Activate(String),
    /// The old component crashed during the swap. Retrying may succeed.
    #[error("the current cache component crashed during the swap; try again")]
    Interrupted,
    /// The cache component cannot be called; the text says why. A swap that has already begun may still succeed.
    #[error("the cache component cannot be replaced while the cache is degraded: {0}")]
    Unavailable(String),
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}
