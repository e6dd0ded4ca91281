//! Where bytes are stored: in memory, or in an open file.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// How many bytes of a file are copied or digested at a time.
const COPY_CHUNK: usize = 256 * 1024;

/// How many bytes are read at a time for a stream of a file, or of a body that is arriving. A chunk stays in memory until its reader
/// takes it, and there may be thousands of slow readers.
pub(crate) const STREAM_CHUNK: usize = 64 * 1024;

/// Up to this many bytes are read, written or digested on the calling thread, since handing the work to another thread takes longer.
pub(crate) const MAX_INLINE_BYTES: u64 = 16 * 1024;

/// Bytes in memory or in an open file.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Memory(Bytes),
    File { file: Arc<File>, len: u64 },
}

impl Source {
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The first `count` bytes, or all if there are fewer. Blocks while it reads a file.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        let count = usize::try_from(self.len()).unwrap_or(usize::MAX).min(count);
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(..count)),
            Self::File { file, .. } => read_at(file, 0, count),
        }
    }

    /// All bytes. A file is read on another thread, unless it is small.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File { file, len } => {
                let (file, len) = (file.clone(), usize::try_from(*len).map_err(io::Error::other)?);
                run(len as u64, move || read_at(&file, 0, len)).await
            }
        }
    }

    pub fn digest(&self) -> io::Result<Sha256Digest> {
        match self {
            Self::Memory(bytes) => Ok(Sha256::digest(bytes).into()),
            Self::File { file, len } => {
                let mut hasher = Sha256::new();
                let mut position = 0;
                while position < *len {
                    let chunk = read_at(file, position, (len - position).min(COPY_CHUNK as u64) as usize)?;
                    hasher.update(&chunk);
                    position += chunk.len() as u64;
                }
                Ok(hasher.finalize().into())
            }
        }
    }

    /// Writes all bytes to the start of a file.
    pub fn write_to(&self, to: &File) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => to.write_all_at(bytes, 0),
            Self::File { file, len } => copy(file, to, *len),
        }
    }
}

/// Copies `len` bytes from the start of one file to the start of another. If the cause of an error is the first file, its kind is
/// [`io::ErrorKind::ExecutableFileBusy`].
pub(crate) fn copy(from: &File, to: &File, len: u64) -> io::Result<()> {
    let mut position = 0;
    while position < len {
        let chunk = read_at(from, position, (len - position).min(COPY_CHUNK as u64) as usize).map_err(not_copied)?;
        to.write_all_at(&chunk, position)?;
        position += chunk.len() as u64;
    }
    Ok(())
}

/// The error for a file that cannot be copied because it was changed or cannot be read.
pub(crate) fn not_copied(why: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::ExecutableFileBusy, format!("cannot copy the file: {why}"))
}

/// Reads bytes of a file. If it has shrunk, the kind of the error is [`io::ErrorKind::ExecutableFileBusy`].
pub(crate) fn read_at(file: &File, position: u64, count: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; count];
    match file.read_exact_at(&mut buffer, position) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(io::Error::new(io::ErrorKind::ExecutableFileBusy, "the file has shrunk"))
        }
        read => read.map(|()| buffer.into()),
    }
}

/// Reads the bytes of a file that are in memory: in the system's page cache, or because the file system is in memory. Reads at least one
/// byte, or fails.
pub(crate) fn read_cached(file: &File, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let read = match rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], position, ReadWriteFlags::NOWAIT) {
        Ok(read) => read,
        // tmpfs does not support the flag.
        Err(Errno::OPNOTSUPP) if is_in_memory(file) => file.read_at(buffer, position)?,
        // The file system or the kernel does not support the flag, or the failure is temporary.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR | Errno::NOMEM) => 0,
        Err(error) => return Err(error.into()),
    };
    // 0 can also mean that the file has shrunk, which a blocking read will detect. Some kernels, such as Linux 5.10, also return 0 before
    // the end.
    if read == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(read) }
}

/// Whether the file system keeps its files in memory.
fn is_in_memory(file: &File) -> bool {
    const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|file_system| file_system.f_type == TMPFS_MAGIC)
}

/// Reads this many bytes of a file, from the page cache or else on another thread.
pub(crate) async fn read_chunk(file: Arc<File>, position: u64, count: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; count];
    if read_cached(&file, position, &mut bytes).is_ok_and(|read| read == count) {
        return Ok(bytes.into());
    }
    tokio::task::spawn_blocking(move || read_at(&file, position, count)).await.map_err(io::Error::other)?
}

/// Runs blocking work on this many bytes: on the calling thread if there are few, otherwise on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    if bytes <= MAX_INLINE_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    #[test]
    fn failed_copy_reports_which_file_caused_it() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        std::fs::write(&from, "0123456789").unwrap();
        std::fs::write(&to, "").unwrap();
        let open = |path| [File::open(path).unwrap(), File::options().write(true).open(path).unwrap()];
        let ([from, unreadable], [unwritable, to]) = (open(&from), open(&to));
        let kind = |from, to, len| copy(from, to, len).map_err(|error| error.kind());
        assert_eq!(kind(&from, &to, 10), Ok(()));
        assert_eq!(kind(&from, &to, 11), Err(io::ErrorKind::ExecutableFileBusy), "the file has shrunk");
        assert_eq!(kind(&unreadable, &to, 10), Err(io::ErrorKind::ExecutableFileBusy));
        assert!(kind(&from, &unwritable, 10).is_err_and(|kind| kind != io::ErrorKind::ExecutableFileBusy));
    }

    #[test]
    fn file_on_an_in_memory_file_system_is_read_without_another_thread() {
        let file = File::from(memfd_create("media", MemfdFlags::CLOEXEC).unwrap());
        file.write_all_at(b"0123456789", 0).unwrap();
        let mut buffer = [0; 4];
        assert_eq!((read_cached(&file, 3, &mut buffer).unwrap(), &buffer), (4, b"3456"));
        assert_eq!(read_cached(&file, 10, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
