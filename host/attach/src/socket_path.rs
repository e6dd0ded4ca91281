//! The socket on which the owner of a directory listens.
//!
//! Its name is short, but the path of the directory may exceed the 107 bytes that the address of a Unix socket can have. In that case, the
//! directory is opened and the socket is addressed through `/proc/self/fd`.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use media_cache::OWN_DIRECTORY;
use tokio::net::UnixStream;

const SOCKET: &str = "socket";

/// The name under which a socket is created before it replaces that of the previous owner.
const NEW_SOCKET: &str = "socket.new";

/// The longest path in the address of a Unix socket on every system, in bytes.
const MAX_ADDRESS: usize = 100;

/// A directory that can be named in the address of a socket.
struct Addressable {
    path: PathBuf,
    // Keeps the descriptor in `path` open.
    _directory: Option<File>,
}

impl Addressable {
    fn of(cache_directory: &Path) -> io::Result<Self> {
        let path = cache_directory.join(OWN_DIRECTORY);
        if path.as_os_str().len() + NEW_SOCKET.len() < MAX_ADDRESS {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(&path)?;
        Ok(Self { path: format!("/proc/self/fd/{}", directory.as_raw_fd()).into(), _directory: Some(directory) })
    }
}

/// Listens on the socket of a directory, whose lock the caller holds. Only this user's processes can connect. A socket of a previous owner
/// is replaced.
pub(crate) fn listen(cache_directory: &Path) -> io::Result<UnixListener> {
    let directory = Addressable::of(cache_directory)?;
    let (new, socket) = (directory.path.join(NEW_SOCKET), directory.path.join(SOCKET));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, &socket)?;
    Ok(listener)
}

/// Connects to the owner of a directory.
pub(crate) async fn connect(cache_directory: &Path) -> io::Result<UnixStream> {
    let directory = Addressable::of(cache_directory)?;
    UnixStream::connect(directory.path.join(SOCKET)).await
}

/// Removes the socket of a directory, whose lock the caller holds.
pub(crate) fn remove(cache_directory: &Path) {
    // If it cannot be removed, connecting to it fails, which means the same.
    let _ = std::fs::remove_file(cache_directory.join(OWN_DIRECTORY).join(SOCKET));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_is_private_and_replaces_that_of_the_previous_owner() {
        let root = tempfile::tempdir().unwrap();
        for directory in [root.path().to_owned(), root.path().join("a-long-name/".repeat(20))] {
            std::fs::create_dir_all(directory.join(OWN_DIRECTORY)).unwrap();
            let first = listen(&directory).unwrap();
            let second = listen(&directory).unwrap();
            let socket = directory.join(OWN_DIRECTORY).join(SOCKET);
            assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let client = connect(&directory).await.unwrap();
            first.set_nonblocking(true).unwrap();
            assert_eq!(first.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            second.accept().unwrap();
            drop(client);
            remove(&directory);
            assert_eq!(connect(&directory).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
