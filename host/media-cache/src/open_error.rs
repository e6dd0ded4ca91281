//! Why a cache could not be opened.

use std::path::PathBuf;

use crate::component_error::ComponentError;
use crate::directory_lock::LockError;
use crate::policy::instance::CreateError;

/// Why a cache could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The built-in downloader cannot be set up.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Downloader(#[from] media_cache_http_downloader::HttpSetupError),
    /// The cache component or the policy component cannot be used.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The policy failed to start, or rejected its options.
    #[error("{policy} cannot be used as the eviction policy: {error}")]
    Policy {
        /// The origin of the policy.
        policy: String,
        /// Why it cannot be used.
        error: CreateError,
    },
    /// This machine cannot run WebAssembly, or the component failed to start.
    #[error("the cache component failed to start: {0:#}")]
    Start(wasmtime::Error),
    /// The thread of the cache could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The directory cannot be loaded.
    #[error("cannot load {}: {why}", directory.display())]
    Load {
        /// The directory.
        directory: PathBuf,
        /// Why it cannot be loaded.
        why: String,
    },
}
