//! Media bytes, which stay on the host.
//!
//! A component never sees the bytes of an image or a video: it holds a handle to a [`Blob`], which is either in memory or an open
//! file. Cloning a blob is cheap and copies no bytes. An open file stays readable after its name is removed, so a blob that is in
//! use outlives the eviction of its entry.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures::stream::{self, Stream};
use rustix::fs::{Advice, AtFlags, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::file_stamp::{Change, FileStamp};
use crate::spool::Reservation;

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// How many bytes of a file are copied or digested at a time.
const COPY_CHUNK: usize = 256 * 1024;

/// How many bytes of a file are read at a time for a stream. A chunk stays in memory until its reader takes it, and there may be
/// thousands of slow readers.
const STREAM_CHUNK: usize = 64 * 1024;

/// Immutable bytes, in memory or in an open file.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Inner>);

/// A weak reference to a [`Blob`].
#[derive(Clone, Debug)]
pub struct WeakBlob(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    digest: OnceCell<Sha256Digest>,
    /// Of a body in a file without a name: the space that is reserved for it.
    reservation: Mutex<Option<Reservation>>,
    is_released: AtomicBool,
    /// Of a file, as it was when the digest was computed or confirmed, or before.
    stamp: Mutex<Option<FileStamp>>,
    is_condemned: AtomicBool,
    /// Whether reading the file has failed.
    is_unreadable: AtomicBool,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File { file: Arc<File>, len: u64 },
}

impl<B: Into<Bytes>> From<B> for Blob {
    fn from(bytes: B) -> Self {
        Self::new(Source::Memory(bytes.into()), None, OnceCell::new(), None)
    }
}

impl Blob {
    /// Up to this many bytes are read, written or digested on the calling thread: handing over to another thread takes longer.
    pub const MAX_INLINE_BYTES: u64 = 16 * 1024;

    fn new(source: Source, stamp: Option<FileStamp>, digest: OnceCell<Sha256Digest>, reservation: Option<Reservation>) -> Self {
        let [is_released, is_condemned, is_unreadable] = [const { AtomicBool::new(false) }; 3];
        let (stamp, reservation) = (Mutex::new(stamp), Mutex::new(reservation));
        Self(Arc::new(Inner { source, digest, reservation, is_released, stamp, is_condemned, is_unreadable }))
    }

    /// Bytes in memory whose digest is known.
    pub(crate) fn with_digest(bytes: impl Into<Bytes>, digest: Sha256Digest) -> Self {
        Self::new(Source::Memory(bytes.into()), None, OnceCell::new_with(Some(digest)), None)
    }

    /// A body of this length that has arrived in a file without a name.
    pub(crate) fn arrived(file: Arc<File>, len: u64, digest: Sha256Digest, reservation: Reservation) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() != len {
            return Err(io::Error::other("the file does not have what was written to it"));
        }
        let source = Source::File { file, len: metadata.len() };
        Ok(Self::new(source, Some(FileStamp::of(&metadata)), OnceCell::new_with(Some(digest)), Some(reservation)))
    }

    /// The bytes of an open file, at its current length.
    ///
    /// # Errors
    /// When the file cannot be inspected, or is not a regular file.
    pub fn from_file(file: Arc<File>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let stamp = FileStamp::of(&metadata);
        Ok(Self::new(Source::File { file, len: metadata.len() }, Some(stamp), OnceCell::new(), None))
    }

    /// Bytes that were written to an open file just now, or given a name there. Their digest is that of `body`, if it is known.
    ///
    /// # Errors
    /// When the file cannot be inspected, or has another length than `body`.
    pub fn stored(file: Arc<File>, body: &Self) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() != body.len() {
            return Err(io::Error::other("the file does not have what was written to it"));
        }
        let stamp = FileStamp::of(&metadata);
        let digest = OnceCell::new_with(body.known_digest());
        Ok(Self::new(Source::File { file, len: metadata.len() }, Some(stamp), digest, None))
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    #[must_use]
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.0.source {
            Source::Memory(bytes) => Some(bytes),
            Source::File { .. } => None,
        }
    }

    /// The file that the bytes are in, unless they are in memory.
    #[must_use]
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.0.source {
            Source::Memory(_) => None,
            Source::File { file, .. } => Some(file),
        }
    }

    /// The file without a name in which the bytes arrived, as long as space is reserved for it.
    #[must_use]
    pub fn arrived_file(&self) -> Option<Arc<File>> {
        match &self.0.source {
            Source::File { file, .. } if self.reservation().is_some() => Some(file.clone()),
            Source::File { .. } | Source::Memory(_) => None,
        }
    }

    /// The disk space in the directory of a spool that the bytes take up, in bytes, as long as it is reserved for them.
    #[must_use]
    pub fn arrived_bytes(&self) -> u64 {
        self.reservation().as_ref().map_or(0, Reservation::bytes_in_directory)
    }

    /// Notes that the file in which the bytes arrived has a name now, and is accounted for as that of an entry.
    pub fn end_arrival(&self) {
        self.reservation().take();
    }

    /// Notes that a cache no longer holds these bytes. Returns whether they are in a file, so that they may take up space that nothing
    /// else accounts for, and this is the first time.
    #[must_use]
    pub fn release(&self) -> bool {
        matches!(self.0.source, Source::File { .. }) && !self.0.is_released.swap(true, Ordering::Relaxed)
    }

    /// The file that the bytes are in, if it was removed while it is open: what identifies it, and its disk space in bytes. `None` if it
    /// has a name, or space is reserved for it.
    #[must_use]
    pub fn removed_file(&self) -> Option<((u64, u64), u64)> {
        let Source::File { file, .. } = &self.0.source else { return None };
        if self.reservation().is_some() {
            return None;
        }
        let metadata = file.metadata().ok().filter(|metadata| metadata.nlink() == 0)?;
        Some(((metadata.dev(), metadata.ino()), metadata.blocks().saturating_mul(512)))
    }

    /// A weak reference, which does not keep the bytes alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakBlob {
        WeakBlob(Arc::downgrade(&self.0))
    }

    fn reservation(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.0.reservation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first `count` bytes, or all if there are fewer. Blocks while it reads a file, so use it for small counts only.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        let count = usize::try_from(self.len()).unwrap_or(usize::MAX).min(count);
        match &self.0.source {
            Source::Memory(bytes) => Ok(bytes.slice(..count)),
            Source::File { file, .. } => read_at(file, 0, count),
        }
    }

    /// All bytes. A file is read on another thread, unless it is small.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        match &self.0.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::File { file, len } => {
                let (file, len) = (file.clone(), usize::try_from(*len).map_err(io::Error::other)?);
                run(len as u64, move || read_at(&file, 0, len)).await
            }
        }
    }

    /// The same bytes in memory, with their digest. That is computed, unless it is known and the file [is unchanged](Self::is_unchanged).
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub async fn load(&self) -> io::Result<Self> {
        let bytes = self.bytes().await?;
        if let Some(digest) = self.known_digest().filter(|_| self.is_unchanged()) {
            return Ok(Self::with_digest(bytes, digest));
        }
        let loaded = Self::from(bytes);
        // As far as the stamp of the file tells, this is its digest as well.
        let _ = self.0.digest.set(loaded.digest().await?);
        Ok(loaded)
    }

    /// The SHA-256 of the bytes, computed once for a blob and its clones, also if several ask at the same time; on another thread, unless
    /// the blob is small.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub async fn digest(&self) -> io::Result<Sha256Digest> {
        let compute = || {
            let source = self.0.source.clone();
            run(self.len(), move || source.digest())
        };
        self.0.digest.get_or_try_init(compute).await.copied()
    }

    /// The digest, if it has been computed.
    #[must_use]
    pub fn known_digest(&self) -> Option<Sha256Digest> {
        self.0.digest.get().copied()
    }

    /// Whether the bytes are still those that the blob began with, as far as the times and the size of its file tell. A file whose
    /// times alone have changed is read and compared with the digest, if that is known. True for bytes in memory.
    pub async fn is_intact(&self) -> bool {
        let Source::File { file, len } = &self.0.source else { return true };
        let Ok(now) = file.metadata().map(|metadata| FileStamp::of(&metadata)) else { return false };
        let before = *self.stamp();
        match before.map_or(Change::Bytes, |before| before.change_to(&now)) {
            Change::None => return true,
            Change::Names => {}
            Change::Times => {
                // Without a digest nothing was promised. Once it is known, this is asked again.
                let Some(digest) = self.known_digest() else { return true };
                let source = self.0.source.clone();
                if !run(*len, move || source.digest()).await.is_ok_and(|read| read == digest) {
                    return false;
                }
            }
            Change::Bytes => return false,
        }
        *self.stamp() = Some(now);
        true
    }

    /// Whether the file of the bytes, its times and the number of its names are as they were, so that the bytes are, too. True for bytes in
    /// memory, and false once reading the file has failed. Unlike [`is_intact`](Self::is_intact), this never reads the file.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let Source::File { file, .. } = &self.0.source else { return true };
        if self.0.is_unreadable.load(Ordering::Relaxed) {
            return false;
        }
        let stamp = *self.stamp();
        // What the system knows already: a server of network files that does not respond would block the caller.
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let now = rustix::fs::statx(file, "", flags, StatxFlags::BASIC_STATS);
        now.is_ok_and(|now| stamp.is_some_and(|stamp| stamp.is_of(&now)))
    }

    /// Reads bytes from `position` on, as many as there are of them in memory or in the system's page cache, and as `buffer` has room for.
    /// Returns how many. Never waits for a disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none of them are there now. When the file cannot be read, or has become shorter, it is not
    /// [unchanged](Self::is_unchanged) from then on.
    pub fn read_cached(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.len().saturating_sub(position)).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..count];
        match &self.0.source {
            Source::Memory(bytes) => buffer.copy_from_slice(&bytes[position as usize..][..count]),
            Source::File { .. } if count == 0 => {}
            Source::File { file, .. } => return self.note_failure(read_cached(file, position, buffer)),
        }
        Ok(count)
    }

    /// Reads some bytes from `position` on, at most `count` of them, on a thread that may block. The system is asked to have `ahead` further
    /// ones at hand.
    ///
    /// # Errors
    /// As for [`read_cached`](Self::read_cached), but for `WouldBlock`.
    pub async fn read(&self, position: u64, count: usize, ahead: u64) -> io::Result<Bytes> {
        let count = usize::try_from(self.len().saturating_sub(position)).unwrap_or(usize::MAX).min(count);
        let file = match &self.0.source {
            Source::Memory(_) if count == 0 => return Ok(Bytes::new()),
            Source::Memory(bytes) => return Ok(bytes.slice(position as usize..position as usize + count)),
            Source::File { file, .. } => file.clone(),
        };
        let read = tokio::task::spawn_blocking(move || {
            let bytes = read_at(&file, position, count)?;
            if let Some(ahead) = NonZeroU64::new(ahead) {
                // Only advice.
                let _ = rustix::fs::fadvise(&file, position + count as u64, Some(ahead), Advice::WillNeed);
            }
            Ok(bytes)
        });
        self.note_failure(read.await.map_err(io::Error::other).flatten())
    }

    /// After a failure, nobody should trust the file.
    fn note_failure<T>(&self, read: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.0.is_unreadable.store(true, Ordering::Relaxed);
        }
        read
    }

    /// Marks the bytes as no longer those that they should be. False if that was done before, to this blob or a clone.
    #[must_use]
    pub fn condemn(&self) -> bool {
        !self.0.is_condemned.swap(true, Ordering::Relaxed)
    }

    fn stamp(&self) -> MutexGuard<'_, Option<FileStamp>> {
        self.0.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes in `range`, clipped to the blob, in chunks. A file that has become shorter ends the stream with an error.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let end = range.end.min(self.len());
        let blob = self.clone();
        stream::try_unfold(range.start.min(end), move |position| {
            let blob = blob.clone();
            async move {
                if position == end {
                    return Ok(None);
                }
                let chunk = match &blob.0.source {
                    Source::Memory(bytes) => bytes.slice(position as usize..end as usize),
                    Source::File { .. } => {
                        let mut bytes = vec![0; (end - position).min(STREAM_CHUNK as u64) as usize];
                        match blob.read_cached(position, &mut bytes) {
                            Ok(count) => {
                                bytes.truncate(count);
                                bytes.into()
                            }
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                                blob.read(position, bytes.len(), end - position - bytes.len() as u64).await?
                            }
                            Err(error) => return Err(error),
                        }
                    }
                };
                let next = position + chunk.len() as u64;
                Ok(Some((chunk, next)))
            }
        })
    }

    /// Writes all bytes to the start of `file`; on another thread, unless the blob is small.
    ///
    /// # Errors
    /// Any error of the operating system, such as [`io::ErrorKind::StorageFull`].
    pub async fn write_to(&self, file: Arc<File>) -> io::Result<()> {
        let source = self.0.source.clone();
        run(self.len(), move || match source {
            Source::Memory(bytes) => file.write_all_at(&bytes, 0),
            Source::File { file: from, len } => copy(&from, &file, len),
        })
        .await
    }
}

impl WeakBlob {
    /// The blob, if anybody holds it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Blob> {
        self.0.upgrade().map(Blob)
    }
}

impl Source {
    fn digest(&self) -> io::Result<Sha256Digest> {
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
}

/// Copies `len` bytes from the start of one file to the start of another.
pub(crate) fn copy(from: &File, to: &File, len: u64) -> io::Result<()> {
    let mut position = 0;
    while position < len {
        let chunk = read_at(from, position, (len - position).min(COPY_CHUNK as u64) as usize)?;
        to.write_all_at(&chunk, position)?;
        position += chunk.len() as u64;
    }
    Ok(())
}

fn read_at(file: &File, position: u64, count: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; count];
    file.read_exact_at(&mut buffer, position)?;
    Ok(buffer.into())
}

/// Reads what the system has of a file in its page cache. At least one byte is there, unless the file has become shorter.
fn read_cached(file: &File, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], position, ReadWriteFlags::NOWAIT) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        // A file system that cannot tell, or a system that cannot ask it.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Err(io::ErrorKind::WouldBlock.into()),
        read => Ok(read?),
    }
}

/// Runs blocking work on this many bytes: on the calling thread if they are few, otherwise on one that may block.
async fn run<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    if bytes <= Blob::MAX_INLINE_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures::TryStreamExt;

    use super::*;

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    async fn collect(blob: &Blob, range: Range<u64>) -> io::Result<Vec<u8>> {
        blob.stream(range).try_fold(Vec::new(), async |read, chunk| Ok([read.as_slice(), &chunk].concat())).await
    }

    #[tokio::test]
    async fn blob_of_a_file_equals_the_blob_of_its_bytes() {
        // Below and above the size from which work moves to another thread and streams have several chunks.
        for length in [0, 1, Blob::MAX_INLINE_BYTES as usize, 3 * STREAM_CHUNK + 1] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let (memory, file) = (Blob::from(bytes.clone()), Blob::from_file(file_of(&bytes)).unwrap());
            assert!(memory.in_memory().is_some() && file.in_memory().is_none());
            assert_eq!((file.len(), file.is_empty()), (length as u64, length == 0));
            assert_eq!(file.head(100).unwrap(), bytes[..length.min(100)]);
            assert_eq!(file.bytes().await.unwrap(), bytes);
            assert_eq!(file.known_digest(), None);
            assert_eq!(file.digest().await.unwrap(), memory.digest().await.unwrap());
            assert_eq!(file.clone().known_digest(), memory.known_digest());
            assert_eq!(file.load().await.unwrap().in_memory().unwrap(), &bytes);
            for blob in [&memory, &file] {
                assert_eq!(collect(blob, 0..u64::MAX).await.unwrap(), bytes);
                let copy = file_of(&[]);
                blob.write_to(copy.clone()).await.unwrap();
                assert_eq!(Blob::from_file(copy).unwrap().bytes().await.unwrap(), bytes);
            }
        }
    }

    #[tokio::test]
    async fn stream_of_a_range_is_clipped_to_the_blob() {
        for blob in [Blob::from("0123456789"), Blob::from_file(file_of(b"0123456789")).unwrap()] {
            assert_eq!(collect(&blob, 2..5).await.unwrap(), b"234");
            assert_eq!(collect(&blob, 8..100).await.unwrap(), b"89");
            assert_eq!(collect(&blob, 100..200).await.unwrap(), b"");
        }
    }

    #[tokio::test]
    async fn file_that_has_become_shorter_is_an_error() {
        let file = file_of(b"0123456789");
        let blob = Blob::from_file(file.clone()).unwrap();
        file.set_len(9).unwrap();
        assert!(blob.bytes().await.is_err());
        assert!(blob.digest().await.is_err());
        assert!(collect(&blob, 0..10).await.is_err());
    }

    #[tokio::test]
    async fn file_that_another_program_changes_is_not_intact() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let open = || {
            std::fs::write(&path, "0123456789").unwrap();
            let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
            Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap()
        };
        for changed in ["9876543210", "0123", "0123456789+"] {
            let blob = open();
            blob.digest().await.unwrap();
            assert!(blob.is_intact().await);
            std::fs::write(&path, changed).unwrap();
            assert!(!blob.is_intact().await, "{changed}");
        }
        let blob = open();
        blob.digest().await.unwrap();
        std::fs::write(&path, "0123456789").unwrap();
        assert!(blob.is_intact().await, "the bytes are the same");
        std::fs::hard_link(&path, directory.path().join("another")).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(blob.is_intact().await, "names are not bytes");
        assert!(Blob::from("bytes").is_intact().await);
        assert!(blob.clone().condemn() && !blob.condemn(), "only once");
    }

    #[test]
    fn file_is_unchanged_until_its_bytes_times_or_names_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let changes: [fn(&std::path::Path); 3] = [
            |path| std::fs::write(path, "9876543210").unwrap(),
            |path| std::fs::hard_link(path, path.with_extension("other")).unwrap(),
            |path| std::fs::remove_file(path).unwrap(),
        ];
        for change in changes {
            std::fs::write(&path, "0123456789").unwrap();
            let blob = Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
            assert!(blob.is_unchanged());
            let mut buffer = [0; 3];
            assert_eq!((blob.read_cached(2, &mut buffer).unwrap(), &buffer), (3, b"234"));
            assert_eq!((blob.read_cached(9, &mut buffer).unwrap(), buffer[0]), (1, b'9'));
            assert_eq!((blob.read_cached(10, &mut buffer).unwrap(), blob.read_cached(0, &mut []).unwrap()), (0, 0));
            change(&path);
            assert!(!blob.is_unchanged());
        }
        let blob = Blob::from("0123");
        assert!(blob.is_unchanged());
        let mut buffer = [0; 3];
        assert_eq!((blob.read_cached(2, &mut buffer).unwrap(), &buffer[..2]), (2, &b"23"[..]));
    }

    #[tokio::test]
    async fn file_that_cannot_be_read_is_not_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "0123456789").unwrap();
        let for_writing = || Blob::from_file(Arc::new(File::options().write(true).open(&path).unwrap())).unwrap();
        let blob = for_writing();
        assert!(blob.is_unchanged());
        assert!(blob.read_cached(0, &mut [0; 3]).is_err());
        assert!(!blob.is_unchanged());
        let blob = for_writing();
        assert!(blob.read(0, 3, 0).await.is_err());
        assert!(!blob.is_unchanged());
        let blob = Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
        assert_eq!(blob.read(2, 3, 5).await.unwrap(), &b"234"[..]);
        assert!(blob.is_unchanged());
    }

    #[tokio::test]
    async fn stored_bytes_have_the_digest_of_what_was_written_and_are_not_digested_again() {
        let body = Blob::from("0123456789");
        let digest = body.digest().await.unwrap();
        let file = file_of(b"0123456789");
        let stored = Blob::stored(file.clone(), &body).unwrap();
        assert_eq!(stored.known_digest(), Some(digest));
        assert_eq!(stored.load().await.unwrap().known_digest(), Some(digest));
        // Other bytes, behind the back of the blob: with the times as before, only a digest would show it.
        let others = Blob::stored(file_of(b"9876543210"), &body).unwrap();
        assert_eq!(others.load().await.unwrap().known_digest(), Some(digest), "it was not computed");
        assert!(Blob::stored(file_of(b"short"), &body).is_err());
        file.write_all_at(b"9876543210", 0).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_ne!(stored.load().await.unwrap().known_digest(), Some(digest), "the file has changed");
    }

    #[test]
    fn directory_is_not_a_blob() {
        let directory = tempfile::tempdir().unwrap();
        let error = Blob::from_file(Arc::new(File::open(directory.path()).unwrap())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
