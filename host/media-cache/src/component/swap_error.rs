//! Why a cache component was not replaced.

/// Why the cache component was not replaced. The old component serves as before.
#[derive(Debug, thiserror::Error)]
pub enum ComponentSwapError {
    /// Another swap, of the cache component or of a policy, is in progress. Try again once it has ended.
    #[error("another cache component, or another policy, is being put in place; wait until it is there")]
    Busy,
    /// There is no component to restore, since none was replaced since the cache was opened.
    #[error("there is no cache component to go back to: none was replaced since the cache was opened")]
    NothingBefore,
    /// The directory is not loaded yet. Try again later.
    #[error("the directory is still being loaded; try again later")]
    Loading,
    /// The new component does not start, or cannot load the index log.
    #[error("the new cache component does not start: {0}")]
    Start(String),
    /// The old component could not save its index.
    #[error("the cache component in place could not save its index: {0}")]
    Save(String),
    /// The new component started and could not take over.
    #[error("the new cache component could not take over: {0}")]
    Activate(String),
    /// The old component broke down meanwhile. Retrying may succeed.
    #[error("the cache component in place broke down meanwhile; asking once more is worth a try")]
    Interrupted,
    /// The cache component cannot be called; the text says why. A swap that had begun may still succeed.
    #[error("no cache component can be put in place while the cache is degraded: {0}")]
    Unavailable(String),
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}
