//! Makes files private to their owner, since URLs and media reveal what people look at. Directories are created with mode 0700, and files
//! with mode 0600. The permissions of an existing directory are up to its owner; if others can read it, a warning is logged.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::small_file::{not_a_file, open_without_blocking};

/// The directory, within that of the entries, for all files of the cache except the entries and the lock.
pub const OWN_DIRECTORY: &str = ".media-cache";

/// Creates a directory and its parents if they do not exist.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Opens a regular file for writing, and creates it if it does not exist. Anything else with this name is an error.
pub(crate) fn open(file: &Path) -> io::Result<File> {
    let opened = open_without_blocking(OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600), file)?;
    let kind = opened.metadata()?.file_type();
    if kind.is_file() { Ok(opened) } else { Err(not_a_file(kind)) }
}

/// Writes a file completely or not at all, using a temporary file in the same directory.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Creates the directory for all our files except the entries and the lock. The component cannot do this, since WASI has no file modes.
/// Everything that the component creates in this directory is private, regardless of the umask.
pub(crate) fn create_own_directory(directory: &Path) -> io::Result<()> {
    create_directory(&directory.join(OWN_DIRECTORY))
}

/// Logs a warning if users other than the owner can read or search a directory. File names are derived from URLs, so search permission is
/// enough to find the media of a URL.
pub(crate) fn warn_if_others_read(directory: &Path) {
    let mode = std::fs::metadata(directory).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        tracing::warn!(
            "{} can be read by users other than its owner (mode {mode:o}); use `chmod 700` to change that",
            directory.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn created_directories_and_files_are_private_to_their_owner() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        create_directory(&directory).unwrap();
        drop(open(&directory.join("file")).unwrap());
        assert_eq!((mode(&root.path().join("a")), mode(&directory), mode(&directory.join("file"))), (0o700, 0o700, 0o600));
    }

    #[test]
    fn permissions_of_an_existing_directory_are_unchanged() {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        create_directory(root.path()).unwrap();
        assert_eq!(mode(root.path()), 0o755);
    }

    #[test]
    fn a_pipe_or_a_directory_is_not_opened() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert_eq!(open(&pipe).unwrap_err().to_string(), "it is a pipe and not a regular file");
        assert!(open(root.path()).is_err());
    }
}
