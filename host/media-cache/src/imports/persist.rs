//! Turns a body into a named file in a directory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// Everything that the cache writes is private to its owner.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Whether a text is a single path component.
pub(super) fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(['/', '\0'])
}

/// Gives an unnamed file this name. Returns `false` if that is impossible, in which case the bytes have to be copied.
pub(super) fn link(file: &File, directory: impl AsFd, name: &str) -> io::Result<bool> {
    let linked = rustix::fs::fchmod(file, PRIVATE).and_then(|()| {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, path, directory, name, AtFlags::SYMLINK_FOLLOW)
    });
    match linked {
        Ok(()) => Ok(true),
        Err(error @ (Errno::EXIST | Errno::NOSPC | Errno::DQUOT | Errno::ROFS | Errno::IO | Errno::NAMETOOLONG)) => {
            Err(error.into())
        }
        // For example, another file system, a file system without links, a file that had a name before, or a security policy.
        Err(_) => Ok(false),
    }
}

/// Creates a file for writing, and for reading back what was written. Fails if the name exists.
pub(super) fn create(directory: impl AsFd, name: &str) -> io::Result<Arc<File>> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Arc::new(rustix::fs::openat(directory, name, flags, PRIVATE)?.into()))
}

/// Removes a file that could not be written.
pub(super) fn remove(directory: impl AsFd, name: &str) {
    // If this fails too, the file has no sidecar, and the next start removes it.
    let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn name_must_be_a_single_path_component() {
        for (text, expected) in
            [("a.dat", true), ("..a", true), ("", false), (".", false), ("..", false), ("a/b", false), ("a\0", false)]
        {
            assert_eq!(is_name(text), expected, "{text:?}");
        }
    }

    #[test]
    fn unnamed_file_is_linked_only_under_an_unused_name() {
        let root = tempfile::tempdir().unwrap();
        let directory = File::open(root.path()).unwrap();
        let mut arrived = tempfile::tempfile_in(root.path()).unwrap();
        arrived.write_all(b"bytes").unwrap();
        assert!(link(&arrived, &directory, "a").unwrap());
        let linked = root.path().join("a");
        assert_eq!(std::fs::read(&linked).unwrap(), b"bytes");
        assert_eq!(linked.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let other = tempfile::tempfile_in(root.path()).unwrap();
        assert_eq!(link(&other, &directory, "a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(create(&directory, "a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        remove(&directory, "a");
        create(&directory, "a").unwrap();
    }

    #[test]
    fn file_that_had_a_name_before_is_copied() {
        let root = tempfile::tempdir().unwrap();
        let directory = File::open(root.path()).unwrap();
        let removed = create(&directory, "old").unwrap();
        remove(&directory, "old");
        assert!(!link(&removed, &directory, "new").unwrap());
    }
}
