//! Why a cache component was not replaced.

/// Why the cache component was not replaced. The one that was there serves as before.
#[derive(Debug, thiserror::Error)]
pub enum ComponentSwapError {
    /// One swap at a time.
    #[error("another cache component, or another policy, is being put in place; wait until it is there")]
    Busy,
    /// There was no component before this one.
    #[error("there is no cache component to go back to: none was replaced since the cache was opened")]
    NothingBefore,
    /// The directory is not loaded yet.
    #[error("the directory is still being loaded; try again later")]
    Loading,
    /// It does not start, or cannot load the index log.
    #[error("the new cache component does not start: {0}")]
    Start(String),
    /// The one that was there could not finish.
    #[error("the cache component in place could not save its index: {0}")]
    Save(String),
    /// It started, and could not take over.
    #[error("the new cache component could not take over: {0}")]
    Activate(String),
    /// The component that was there broke down meanwhile.
    #[error("the cache component in place broke down meanwhile; asking once more is worth a try")]
    Interrupted,
    /// The cache component cannot be asked; the text says why.
    #[error("no cache component can be put in place while the cache is degraded: {0}")]
    Unavailable(String),
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}
