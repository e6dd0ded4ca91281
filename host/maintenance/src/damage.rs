//! The kinds of damage to the files of an entry.

use std::io;

/// Damage to an entry, or a file that belongs to no entry.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The sidecar cannot be parsed, or lacks the URL or the size.
    #[error("the sidecar does not describe an entry")]
    InvalidSidecar,
    /// The URL in the sidecar does not have the digest in the file's name.
    #[error("the sidecar belongs to another entry")]
    OtherEntry,
    /// The body is longer or shorter than stated in the sidecar.
    #[error("the body has {actual} bytes, but the sidecar says {expected}")]
    Size {
        /// Bytes according to the sidecar.
        expected: u64,
        /// Bytes in the file.
        actual: u64,
    },
    /// The body does not have the bytes that were stored.
    #[error("the body does not have the SHA-256 digest in the sidecar")]
    Digest,
    /// A directory, a link or a device has the name of an entry's file.
    #[error("{0} is not a regular file")]
    NotAFile(String),
    /// A body without a sidecar.
    #[error("the body has no sidecar")]
    NoSidecar,
    /// A sidecar without a body.
    #[error("the sidecar has no body")]
    NoBody,
    /// An interrupted refresh left files behind that would have replaced those of the entry.
    #[error("an interrupted refresh left its new files behind")]
    UnfinishedRefresh,
    /// An interrupted write left a temporary file behind.
    #[error("an interrupted write left a temporary file behind")]
    Leftover,
    /// A file cannot be read. The file itself may be intact.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// The name of the file.
        file: String,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl Damage {
    /// A stable, machine-readable name in kebab case.
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
