//! Why a cache could not be opened.

use std::path::PathBuf;

use crate::component_error::ComponentError;
use crate::directory_lock::LockError;
use crate::policy::instance::CreateError;

/// Why a cache could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not ours.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The built-in downloader cannot be used here.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Downloader(#[from] media_cache_http_downloader::HttpSetupError),
    /// The cache or the policy cannot be used.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The policy does not start, or does not understand its options.
    #[error("the eviction policy {policy} cannot be used: {error}")]
    Policy {
        /// Where it comes from.
        policy: String,
        /// What is wrong.
        error: CreateError,
    },
    /// WebAssembly does not run here, or the component does not start.
    #[error("the cache component does not start: {0:#}")]
    Start(wasmtime::Error),
    /// The thread could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The directory cannot be read.
    #[error("cannot load {}: {why}", directory.display())]
    Load {
        /// The directory.
        directory: PathBuf,
        /// What went wrong.
        why: String,
    },
}
