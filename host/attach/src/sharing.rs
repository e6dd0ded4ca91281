//! How a process uses a directory together with others.

use std::time::Duration;

use crate::options::DirectoryOptions;

/// How a process uses a directory together with others.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// The options that this process sets explicitly. If it attaches, they must not differ from those of the owner.
    pub options: DirectoryOptions,
    /// How long to wait if another process uses the directory and does not share it, by default 30 seconds. That process may be starting or
    /// stopping, or be a maintenance command.
    pub max_wait: Duration,
    /// Whether other processes can attach to this one while it owns the directory, and whether it takes over from an owner to which it is
    /// attached. This is the default. A process that uses the directory only for a moment does neither.
    pub is_shared: bool,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { options: DirectoryOptions::default(), max_wait: Duration::from_secs(30), is_shared: true }
    }
}

impl From<DirectoryOptions> for Sharing {
    fn from(options: DirectoryOptions) -> Self {
        Self { options, ..Self::default() }
    }
}
