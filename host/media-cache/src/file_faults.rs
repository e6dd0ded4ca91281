//! Injects disk faults for tests. Every file operation of the component calls this first. Without the feature `fault-injection`, it does
//! nothing and costs nothing.

use std::io;
use std::os::fd::BorrowedFd;

#[cfg(feature = "fault-injection")]
pub use injection::{FileFaults, FileOperation};

/// The hook that is called before each file operation.
#[derive(Clone, Default)]
pub(crate) struct FaultHook {
    #[cfg(feature = "fault-injection")]
    pub faults: Option<std::sync::Arc<dyn FileFaults>>,
}

#[cfg(not(feature = "fault-injection"))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the implementation with the feature needs both")]
impl FaultHook {
    /// Whether any operation may fail.
    pub const fn is_set(&self) -> bool {
        false
    }

    /// Called before an operation on the file with this name.
    pub const fn before(&self, _action: &'static str, _file: &str) -> io::Result<()> {
        Ok(())
    }

    /// Called before an operation on this open file.
    pub const fn before_on(&self, _action: &'static str, _file: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "fault-injection")]
mod injection {
    use std::os::fd::AsRawFd;

    use super::{BorrowedFd, FaultHook, io};

    /// Decides which file operations fail, to test how a cache handles that.
    pub trait FileFaults: Send + Sync + 'static {
        /// Called before each operation, on the thread that performs it. It may block for any length of time, like a disk.
        ///
        /// # Errors
        /// If this returns an error, the operation is not performed and fails with that error.
        fn before(&self, operation: &FileOperation) -> io::Result<()>;
    }

    /// A file operation of a cache.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FileOperation {
        /// The kind of operation, such as `create`.
        pub action: &'static str,
        /// The name of the file without its directory.
        pub file: String,
    }

    impl FaultHook {
        /// Whether any operation may fail.
        pub const fn is_set(&self) -> bool {
            self.faults.is_some()
        }

        /// Called before an operation on the file with this name.
        pub fn before(&self, action: &'static str, file: &str) -> io::Result<()> {
            let Some(faults) = &self.faults else { return Ok(()) };
            faults.before(&FileOperation { action, file: file.into() })
        }

        /// Called before an operation on this open file.
        pub fn before_on(&self, action: &'static str, file: BorrowedFd<'_>) -> io::Result<()> {
            if self.faults.is_none() {
                return Ok(());
            }
            let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.before(action, name.strip_suffix(" (deleted)").unwrap_or(&name))
        }
    }
}
