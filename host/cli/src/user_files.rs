//! Permissions of the files that this process writes. All of them are private to their owner ([`make_private`]), except for files that a
//! user requests by name and that have nothing to do with the cache's directory: these have the permissions that the user's umask leaves.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rustix::fs::{Mode, RawMode};

/// The umask with which the process was started.
static USERS_UMASK: AtomicU32 = AtomicU32::new(0o077);

/// Makes all files that this process creates from now on private. Must be called before there are other threads.
pub fn make_private() {
    let users = rustix::process::umask(Mode::from_raw_mode(0o077 as RawMode));
    USERS_UMASK.store(users.as_raw_mode() as u32, Relaxed);
}

/// Creates a file for the user, or empties it. A file that exists keeps its permissions.
pub fn create_file(path: &Path) -> io::Result<File> {
    match File::options().write(true).create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(0o666 & !USERS_UMASK.load(Relaxed)))?;
            Ok(file)
        }
        // The existing file may also be a pipe or a device.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::create(path),
        Err(error) => Err(error),
    }
}

/// Creates a directory for the user, which must not exist.
pub fn create_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o777 & !USERS_UMASK.load(Relaxed)))
}
