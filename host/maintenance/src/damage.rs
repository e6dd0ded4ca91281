//! The kinds of damage to the files of an entry.

use std::io;

/// Damage to an entry, or a file that belongs to no entry.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The sidecar cannot be parsed, or lacks the URL or the size.
    #[error("the sidecar describes no entry")]
    InvalidSidecar,
    /// The URL in the sidecar does not have the digest in the file's name.
    #[error("the sidecar describes another entry")]
    OtherEntry,
    /// The body is longer or shorter than the sidecar says.
    #[error("the body has {actual} bytes, and the sidecar says {expected}")]
    Size {
        /// Bytes according to the sidecar.
        expected: u64,
        /// Bytes in the file.
        actual: u64,
    },
    /// The body has different bytes than were stored.
    #[error("the body does not have the SHA-256 digest that the sidecar says")]
    Digest,
    /// A directory, a link or a device has the name of an entry's file.
    #[error("{0} is not a regular file")]
    NotAFile(String),
    /// A body without a sidecar.
    #[error("there is a body without a sidecar")]
    NoSidecar,
    /// A sidecar without a body.
    #[error("there is a sidecar without a body")]
    NoBody,
    /// A refresh was interrupted. It left files that would have replaced those of the entry.
    #[error("a refresh was interrupted, and left its new files")]
    UnfinishedRefresh,
    /// A write was interrupted. It left a temporary file.
    #[error("a write was interrupted, and left a temporary file")]
    Leftover,
    /// The operating system cannot read a file. The file itself may be intact.
    #[error("{file} cannot be read: {error}")]
    Unreadable {
        /// The name of the file.
        file: String,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl Damage {
    /// A word for programs, in kebab case and stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidSidecar => "invalid-sidecar",
            Self::OtherEntry => "other-entry",
            Self::Size { .. } => "size",
            Self::Digest => "digest",
            Self::NotAFile(_) => "not-a-file",
            Self::NoSidecar => "no-sidecar",
            Self::NoBody => "no-body",
            Self::UnfinishedRefresh => "unfinished-refresh",
            Self::Leftover => "leftover",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether these are files that belong to no entry, rather than a damaged entry.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        matches!(self, Self::NoSidecar | Self::NoBody | Self::UnfinishedRefresh | Self::Leftover)
    }
}
