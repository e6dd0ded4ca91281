//! One process at a time owns a directory.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::private_files;

/// The file that is locked. It is left in place: removing it would let two processes lock two files of the same name.
const FILE: &str = "media-cache.lock";

/// A directory that is ours until this is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

/// Why a directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by another media-cache; stop that one, ask it over HTTP, or use another directory", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, or the lock file cannot be opened.
    #[error("cannot use the directory {}: {error}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl DirectoryLock {
    /// Makes the directory where it is not there, and takes it.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let unusable = |error| LockError::Unusable { path: directory.into(), error };
        private_files::create_directory(directory).map_err(unusable)?;
        let file = private_files::open(&directory.join(FILE)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                private_files::create_own_directory(directory).map_err(unusable)?;
                private_files::warn_if_others_read(directory);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(directory.into())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_and_taken_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let second = DirectoryLock::acquire(&directory).unwrap_err();
        assert!(second.to_string().contains("in use by another media-cache"), "{second}");
        drop(lock);
        DirectoryLock::acquire(&directory).unwrap();
    }

    #[test]
    fn a_directory_that_is_a_file_is_named_in_the_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DirectoryLock::acquire(file.path()).unwrap_err();
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    }
}
