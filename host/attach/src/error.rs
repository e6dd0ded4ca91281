//! Why a directory could not be opened or attached to.

use std::io;
use std::path::PathBuf;

use media_cache::{LockError, OpenError};

use crate::options::OptionConflict;

/// Why a directory could neither be opened nor attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// This process was about to own the directory, but the cache could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// This process was about to own the directory, but its options cannot be used.
    #[error("the cache cannot be configured: {0}")]
    Configure(Box<dyn std::error::Error + Send + Sync>),
    /// An option of this process differs from that of the owner.
    #[error(transparent)]
    Conflict(#[from] OptionConflict),
    /// The owner speaks another version of the protocol.
    #[error(
        "the process that owns the directory runs media-cache {program}, which cannot share it with this version ({}); use the same version \
         in all processes",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The version of the owner's program.
        program: String,
    },
    /// The process that listens in the directory belongs to another user.
    #[error("cannot attach to {}: {error}", directory.display())]
    OtherUser {
        /// The directory.
        directory: PathBuf,
        /// Which user.
        error: io::Error,
    },
    /// The process that owned the directory has ended, and no other process has become the owner. This process does not take over.
    #[error("the process that used {} has ended, and no other process has taken its place ({error}); try again", directory.display())]
    Ended {
        /// The directory.
        directory: PathBuf,
        /// Why no process can be attached to.
        error: io::Error,
    },
    /// Another process uses the directory, and does not share it.
    #[error("{in_use}; it cannot be attached to: {error}")]
    NotShared {
        /// Which process uses the directory.
        in_use: LockError,
        /// Why it cannot be attached to.
        error: io::Error,
    },
}
