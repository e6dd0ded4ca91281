//! The socket on which the owner of a directory listens.
//!
//! Its name is short, but the path of the directory may exceed the 107 bytes that the address of a Unix socket can have. In that case, the
//! directory is opened and the socket is addressed through `/proc/self/fd`.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
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

/// A socket in a directory on which this process listens.
#[derive(Debug)]
pub(crate) struct Socket {
    pub listener: UnixListener,
    pub place: Place,
}

/// Where a socket was created. As long as its listener is open, the file system does not reuse its inode number.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    cache_directory: PathBuf,
    device_and_inode: (u64, u64),
}

impl Place {
    /// Whether the directory still has this socket. It may have been removed, or replaced by that of another owner.
    pub fn is_occupied(&self) -> bool {
        let socket = self.cache_directory.join(OWN_DIRECTORY).join(SOCKET);
        socket.symlink_metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.device_and_inode)
    }

    /// Removes the socket, unless it is that of another owner. The listener must still be open.
    pub fn remove(&self) {
        if self.is_occupied() {
            // If it cannot be removed, connecting to it fails, which means the same.
            let _ = std::fs::remove_file(self.cache_directory.join(OWN_DIRECTORY).join(SOCKET));
        }
    }
}

/// Listens on the socket of a directory, whose lock the caller holds. Only this user's processes can connect. A socket of a previous owner
/// is replaced.
pub(crate) fn listen(cache_directory: &Path) -> io::Result<Socket> {
    match DirBuilder::new().mode(0o700).create(cache_directory.join(OWN_DIRECTORY)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let directory = Addressable::of(cache_directory)?;
    let (new, socket) = (directory.path.join(NEW_SOCKET), directory.path.join(SOCKET));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    let metadata = new.symlink_metadata()?;
    std::fs::rename(&new, &socket)?;
    let device_and_inode = (metadata.dev(), metadata.ino());
    Ok(Socket { listener, place: Place { cache_directory: cache_directory.into(), device_and_inode } })
}

/// Connects to the owner of a directory.
pub(crate) async fn connect(cache_directory: &Path) -> io::Result<UnixStream> {
    let directory = Addressable::of(cache_directory)?;
    UnixStream::connect(directory.path.join(SOCKET)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_is_private_and_replaces_the_socket_of_the_previous_owner() {
        let root = tempfile::tempdir().unwrap();
        for directory in [root.path().to_owned(), root.path().join("a-long-name/".repeat(20))] {
            std::fs::create_dir_all(&directory).unwrap();
            let first = listen(&directory).unwrap();
            let second = listen(&directory).unwrap();
            let socket = directory.join(OWN_DIRECTORY).join(SOCKET);
            assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let client = connect(&directory).await.unwrap();
            assert_eq!(first.listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            second.listener.accept().unwrap();
            drop(client);
            first.place.remove();
            assert!(!first.place.is_occupied() && second.place.is_occupied());
            second.place.remove();
            assert_eq!(connect(&directory).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
