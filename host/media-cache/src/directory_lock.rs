//! Locks a directory, so that only one process at a time uses it.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::descriptors::ListedDescriptor;
use crate::private_files;
use crate::small_file::open_without_blocking;

/// The file that is locked. It is never removed: otherwise, two processes could lock two different files with the same name.
const FILE: &str = "media-cache.lock";

/// A lock on a directory. It is released when this is dropped or the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    // Dropped before the file is closed.
    _listed: ListedDescriptor,
    /// The locked file. While it is open, the file system does not reuse its inode number.
    file: File,
    directory: File,
}

/// The state of a directory that was locked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Ours,
    /// The directory does not exist or cannot be inspected; the text says why.
    Gone(String),
    /// Another directory is in its place.
    DirectoryReplaced,
    /// The lock file was removed or replaced, so another process may be using the directory.
    LockReplaced,
}

/// Why a directory cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process is using the directory.
    #[error(
        "{} is in use by another media-cache{}; stop that process, wait until it ends, or use another directory",
        path.display(),
        holder.map_or_else(String::new, |holder| format!(" (process {holder})"))
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The id of the process, if the operating system reports it.
        holder: Option<u32>,
    },
    /// The directory cannot be created, or the lock file cannot be opened.
    #[error("cannot use {}: {error}", path.display())]
    Unusable {
        /// The directory, or the lock file in it.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl DirectoryLock {
    /// Whether a directory has ever been locked, which means that it is the directory of a cache.
    #[must_use]
    pub fn is_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Locks a directory. It is created if it does not exist.
    ///
    /// # Errors
    /// Another process is using the directory, or it cannot be created or written to.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        private_files::create_directory(directory).map_err(|error| unusable(directory, error))?;
        let lock = Self::acquire_existing(directory)?;
        private_files::warn_if_others_read(directory);
        Ok(lock)
    }

    /// Locks a directory that exists.
    pub fn acquire_existing(directory: &Path) -> Result<Self, LockError> {
        let options = &mut File::options();
        let opened = open_without_blocking(options.read(true), directory).map_err(|error| unusable(directory, error))?;
        let lock_file = directory.join(FILE);
        let file = private_files::open(&lock_file).map_err(|error| unusable(&lock_file, error))?;
        match file.try_lock() {
            Ok(()) => {
                private_files::create_own_directory(directory).map_err(|error| unusable(directory, error))?;
                Ok(Self { _listed: ListedDescriptor::new(&file), file, directory: opened })
            }
            Err(TryLockError::WouldBlock) => Err(LockError::InUse { path: directory.into(), holder: holder(&file) }),
            Err(TryLockError::Error(error)) => Err(unusable(&lock_file, error)),
        }
    }

    /// The state of a directory. `lock` is `None` if another process holds the lock on the current directory.
    pub(crate) fn standing(lock: Option<&Self>, directory: &Path) -> Standing {
        match (lock, directory.metadata()) {
            (_, Err(error)) => Standing::Gone(error.to_string()),
            (None, Ok(_)) => Standing::LockReplaced,
            (Some(lock), Ok(named)) => lock.standing_of(directory, &named),
        }
    }

    fn standing_of(&self, directory: &Path, named: &Metadata) -> Standing {
        match self.directory.metadata() {
            Ok(ours) if is_same(named, &ours) => {}
            Ok(_) => return Standing::DirectoryReplaced,
            Err(error) => return Standing::Gone(error.to_string()),
        }
        match (directory.join(FILE).symlink_metadata(), self.file.metadata()) {
            (Ok(named), Ok(ours)) if is_same(&named, &ours) => Standing::Ours,
            _ => Standing::LockReplaced,
        }
    }
}

fn unusable(path: &Path, error: io::Error) -> LockError {
    LockError::Unusable { path: path.into(), error }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// How often `/proc/locks` is read: while other processes lock and unlock files, it can lack a lock that is held all the time.
const READINGS: usize = 3;

/// The process that has locked a file, according to `/proc/locks`.
fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let (major, minor) = ((device >> 8) & 0xfff | (device >> 32) & !0xfff, device & 0xff | (device >> 12) & !0xff);
    let id = format!("{major:02x}:{minor:02x}:{inode}");
    (0..READINGS).find_map(|_| holder_of(&id, &std::fs::read_to_string("/proc/locks").ok()?))
}

/// The process that has locked the file with this id, according to the content of `/proc/locks`.
fn holder_of(id: &str, locks: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        // The fields are a number, `FLOCK`, `ADVISORY`, `WRITE`, the process and the file. Waiting processes have an arrow after the
        // number.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (kind, process, file) = (fields.get(1)?, fields.get(4)?, fields.get(5)?);
        (*kind == "FLOCK" && *file == id).then(|| process.parse().ok().filter(|process| *process > 0))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::open_descriptors;

    #[test]
    fn directory_is_created_and_locked_by_one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let second = DirectoryLock::acquire(&directory).unwrap_err();
        assert!(second.to_string().contains("in use by another media-cache"), "{second}");
        if let LockError::InUse { holder: Some(holder), .. } = second {
            assert_eq!(holder, std::process::id());
        }
        drop(lock);
        DirectoryLock::acquire(&directory).unwrap();
    }

    #[test]
    fn lock_is_listed_for_forked_children_while_it_is_held() {
        let root = tempfile::tempdir().unwrap();
        let lock_file = root.path().canonicalize().unwrap().join(FILE);
        let is_listed = || {
            let path = |descriptor| std::fs::read_link(format!("/proc/self/fd/{descriptor}"));
            open_descriptors().into_iter().any(|descriptor| path(descriptor).is_ok_and(|path| path == lock_file))
        };
        let lock = DirectoryLock::acquire(root.path()).unwrap();
        assert!(is_listed());
        drop(lock);
        assert!(!is_listed());
    }

    #[test]
    fn error_for_a_file_in_place_of_the_directory_names_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DirectoryLock::acquire(file.path()).unwrap_err();
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    }
}
