//! Media bytes, which stay on the host.
//!
//! A component never has access to the bytes of an image or a video. It has a handle to a [`Blob`], which is either in memory or an open
//! file. Cloning a blob is cheap and copies no bytes. An open file can be read even after its name is removed, so a blob in use outlives
//! the eviction of its entry.
//!
//! The bytes of a download may still be arriving: see [`ArrivingBody`](crate::ArrivingBody). Such a blob can be read while it arrives. Once
//! it has [finished](Blob::finished), it is like any other.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures::stream::{self, Stream};
use rustix::fs::{Advice, AtFlags, StatxFlags};
use tokio::sync::OnceCell;

use crate::arrival::{Arrival, Next, Readers};
use crate::failure::FetchError;
use crate::file_stamp::{Change, FileStamp};
use crate::source::{MAX_INLINE_BYTES, STREAM_CHUNK, Sha256Digest, Source, not_copied, read_at, read_cached, run};
use crate::spool::Reservation;

/// Immutable bytes in memory or in an open file. The bytes of a download may still be arriving.
///
/// Methods that need all bytes wait until they have arrived: [`bytes`](Self::bytes), [`load`](Self::load), [`digest`](Self::digest),
/// [`write_to`](Self::write_to), and a [`stream`](Self::stream) at its end. If the download fails, these methods fail, too.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Inner>);

/// A weak reference to a [`Blob`].
#[derive(Clone, Debug)]
pub struct WeakBlob(Weak<Inner>);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every blob is whole, and needs no further allocation")]
enum Inner {
    Whole(Whole),
    Arriving(Readers<Whole>),
}

/// A complete body.
#[derive(Debug)]
pub(crate) struct Whole {
    source: Source,
    digest: OnceCell<Sha256Digest>,
    /// The space reserved for a body in an unnamed file.
    reservation: Mutex<Option<Reservation>>,
    is_released: AtomicBool,
    /// The stamp of a file, taken no later than the digest was computed or confirmed.
    stamp: Mutex<Option<FileStamp>>,
    is_condemned: AtomicBool,
    /// Whether reading the file has failed.
    is_unreadable: AtomicBool,
    is_copy: AtomicBool,
}

/// A handle to the end of a body that is still arriving. Unlike a [`Blob`], it does not keep the download running.
#[derive(Clone, Debug)]
pub struct Completion(Arc<Arrival<Whole>>);

impl<B: Into<Bytes>> From<B> for Blob {
    fn from(bytes: B) -> Self {
        Whole::new(Source::Memory(bytes.into()), None, OnceCell::new(), None).into()
    }
}

impl From<Whole> for Blob {
    fn from(whole: Whole) -> Self {
        Self(Arc::new(Inner::Whole(whole)))
    }
}

impl Whole {
    fn new(source: Source, stamp: Option<FileStamp>, digest: OnceCell<Sha256Digest>, reservation: Option<Reservation>) -> Self {
        let [is_released, is_condemned, is_unreadable, is_copy] = [const { AtomicBool::new(false) }; 4];
        let (stamp, reservation) = (Mutex::new(stamp), Mutex::new(reservation));
        Self { source, digest, reservation, is_released, stamp, is_condemned, is_unreadable, is_copy }
    }

    /// Bytes in memory whose digest is known.
    pub fn with_digest(bytes: impl Into<Bytes>, digest: Sha256Digest) -> Self {
        Self::new(Source::Memory(bytes.into()), None, OnceCell::new_with(Some(digest)), None)
    }

    /// A body of this length that has arrived in an unnamed file.
    pub fn arrived(file: Arc<File>, len: u64, digest: Sha256Digest, reservation: Reservation) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() != len {
            return Err(io::Error::other("the length of the file differs from the number of bytes written to it"));
        }
        let source = Source::File { file, len: metadata.len() };
        Ok(Self::new(source, Some(FileStamp::of(&metadata)), OnceCell::new_with(Some(digest)), Some(reservation)))
    }

    fn file(&self) -> Option<&Arc<File>> {
        match &self.source {
            Source::Memory(_) => None,
            Source::File { file, .. } => Some(file),
        }
    }

    async fn digest(&self) -> io::Result<Sha256Digest> {
        let compute = || {
            let source = self.source.clone();
            run(self.source.len(), move || source.digest())
        };
        self.digest.get_or_try_init(compute).await.copied()
    }

    async fn is_intact(&self) -> bool {
        let Source::File { file, len } = &self.source else { return true };
        let Ok(now) = file.metadata().map(|metadata| FileStamp::of(&metadata)) else { return false };
        let before = *self.stamp();
        match before.map_or(Change::Bytes, |before| before.change_to(&now)) {
            Change::None => return true,
            Change::Names => {}
            Change::Times => {
                // Without a digest, there is nothing to compare with. The stamp is not updated, so a later call compares the bytes if the
                // digest is known by then.
                let Some(digest) = self.digest.get().copied() else { return true };
                let source = self.source.clone();
                if !run(*len, move || source.digest()).await.is_ok_and(|read| read == digest) {
                    return false;
                }
            }
            Change::Bytes => return false,
        }
        *self.stamp() = Some(now);
        true
    }

    fn is_unchanged(&self) -> bool {
        let Some(file) = self.file() else { return true };
        if self.is_unreadable.load(Ordering::Relaxed) {
            return false;
        }
        let stamp = *self.stamp();
        // Use cached attributes only: an unresponsive network file server would block the caller.
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let now = rustix::fs::statx(file, "", flags, StatxFlags::BASIC_STATS);
        now.is_ok_and(|now| stamp.is_some_and(|stamp| stamp.is_of(&now)))
    }

    fn read_cached(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.source.len().saturating_sub(position)).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..count];
        match &self.source {
            _ if count == 0 => {}
            Source::Memory(bytes) => buffer.copy_from_slice(&bytes[position as usize..][..count]),
            Source::File { file, .. } => return self.note_failure(read_cached(file, position, buffer)),
        }
        Ok(count)
    }

    async fn read(&self, position: u64, count: usize, ahead: u64) -> io::Result<Bytes> {
        let count = usize::try_from(self.source.len().saturating_sub(position)).unwrap_or(usize::MAX).min(count);
        let file = match &self.source {
            Source::Memory(_) if count == 0 => return Ok(Bytes::new()),
            Source::Memory(bytes) => return Ok(bytes.slice(position as usize..position as usize + count)),
            Source::File { file, .. } => file.clone(),
        };
        let read = tokio::task::spawn_blocking(move || {
            let bytes = read_at(&file, position, count)?;
            if let Some(ahead) = NonZeroU64::new(ahead) {
                // This is only a hint, so an error does not matter.
                let _ = rustix::fs::fadvise(&file, position + count as u64, Some(ahead), Advice::WillNeed);
            }
            Ok(bytes)
        });
        self.note_failure(read.await.map_err(io::Error::other).flatten())
    }

    /// The next bytes from `position` up to `end`, which is not beyond the last byte. For a file, this is one chunk.
    async fn chunk(&self, position: u64, end: u64) -> io::Result<Bytes> {
        if let Source::Memory(bytes) = &self.source {
            return Ok(bytes.slice(position as usize..end as usize));
        }
        let mut bytes = vec![0; (end - position).min(STREAM_CHUNK as u64) as usize];
        match self.read_cached(position, &mut bytes) {
            Ok(count) => {
                bytes.truncate(count);
                Ok(bytes.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.read(position, bytes.len(), end - position - bytes.len() as u64).await
            }
            Err(error) => Err(error),
        }
    }

    /// Fails if the file has been written to since its digest was computed: bytes that were read later may not have that digest.
    fn check_unwritten(&self) -> io::Result<()> {
        let (Some(file), true) = (self.file(), self.digest.initialized()) else { return Ok(()) };
        let now = FileStamp::of(&file.metadata()?);
        match *self.stamp() {
            Some(before) if before.was_written(&now) => Err(not_copied("it was changed in the meantime")),
            _ => Ok(()),
        }
    }

    /// After a failed read, the file is no longer trusted.
    fn note_failure<T>(&self, read: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.is_unreadable.store(true, Ordering::Relaxed);
        }
        read
    }

    fn reservation(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.reservation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self) -> MutexGuard<'_, Option<FileStamp>> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blob {
    /// Up to this many bytes are read, written or digested on the calling thread, since handing the work to another thread takes longer.
    pub const MAX_INLINE_BYTES: u64 = MAX_INLINE_BYTES;

    /// A body that is arriving.
    pub(crate) fn arriving(arrival: Arc<Arrival<Whole>>) -> Self {
        Self(Arc::new(Inner::Arriving(Readers(arrival))))
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
        let source = Source::File { file, len: metadata.len() };
        Ok(Whole::new(source, Some(stamp), OnceCell::new(), None).into())
    }

    /// The bytes of an open file to which `body` was just written, or of the file in which `body` arrived, after it was given a name. The
    /// digest is that of `body`, if it is known.
    ///
    /// # Errors
    /// When the file cannot be inspected, its length differs from that of `body`, or it no longer has a name.
    pub fn stored(file: Arc<File>, body: &Self) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() != body.len() {
            return Err(io::Error::other("the length of the file differs from the number of bytes written to it"));
        }
        if metadata.nlink() == 0 {
            return Err(io::Error::other("another program has removed or replaced the file"));
        }
        let stamp = FileStamp::of(&metadata);
        let digest = OnceCell::new_with(body.known_digest());
        let stored = Self::from(Whole::new(Source::File { file, len: metadata.len() }, Some(stamp), digest, None));
        Ok(stored.with_marks_of(body))
    }

    /// Marks these bytes as a copy that came from elsewhere than an origin, such as a store that several caches share. The mark stays when
    /// they are stored or loaded.
    #[must_use]
    pub fn as_copy(self) -> Self {
        if let Some(whole) = self.whole() {
            whole.is_copy.store(true, Ordering::Relaxed);
        }
        self
    }

    /// Whether the bytes are [marked as a copy](Self::as_copy).
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.whole().is_some_and(|whole| whole.is_copy.load(Ordering::Relaxed))
    }

    fn with_marks_of(self, other: &Self) -> Self {
        if other.is_copy() { self.as_copy() } else { self }
    }

    /// The bytes, if all have arrived.
    fn whole(&self) -> Option<&Whole> {
        match &*self.0 {
            Inner::Whole(whole) => Some(whole),
            Inner::Arriving(arrival) => arrival.outcome()?.as_ref().ok(),
        }
    }

    /// The bytes, once all have arrived.
    async fn when_whole(&self) -> io::Result<&Whole> {
        match &*self.0 {
            Inner::Whole(whole) => Ok(whole),
            Inner::Arriving(arrival) => arrival.ended().await.as_ref().map_err(ended_early),
        }
    }

    /// Waits until all bytes have arrived. Only the body of a download can still be arriving.
    ///
    /// # Errors
    /// The reason why the download failed. The bytes that had arrived can no longer be read.
    pub async fn finished(&self) -> Result<(), FetchError> {
        match &*self.0 {
            Inner::Whole(_) => Ok(()),
            Inner::Arriving(arrival) => arrival.ended().await.as_ref().map(drop).map_err(Clone::clone),
        }
    }

    /// Whether bytes may still arrive.
    #[must_use]
    pub fn is_arriving(&self) -> bool {
        self.completion().is_some()
    }

    /// A handle to the end of the body, if it may still be arriving.
    #[must_use]
    pub fn completion(&self) -> Option<Completion> {
        match &*self.0 {
            Inner::Arriving(arrival) if arrival.outcome().is_none() => Some(Completion(arrival.0.clone())),
            Inner::Whole(_) | Inner::Arriving(_) => None,
        }
    }

    /// Why the body has ended early, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<FetchError> {
        match &*self.0 {
            Inner::Whole(_) => None,
            Inner::Arriving(arrival) => arrival.outcome()?.as_ref().err().cloned(),
        }
    }

    /// The length in bytes; for a body that is arriving, the number of bytes that have arrived so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        match (self.whole(), &*self.0) {
            (Some(whole), _) => whole.source.len(),
            (None, Inner::Arriving(arrival)) => arrival.received().len(),
            (None, Inner::Whole(_)) => 0,
        }
    }

    /// The length in bytes that the complete body has or will have, if it is known.
    #[must_use]
    pub fn expected_len(&self) -> Option<u64> {
        match (self.whole(), &*self.0) {
            (None, Inner::Arriving(arrival)) => arrival.expected(),
            _ => Some(self.len()),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory. `None` while they are arriving.
    #[must_use]
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.whole()?.source {
            Source::Memory(bytes) => Some(bytes),
            Source::File { .. } => None,
        }
    }

    /// The file that contains the bytes, unless they are in memory or still arriving.
    #[must_use]
    pub fn file(&self) -> Option<&Arc<File>> {
        self.whole()?.file()
    }

    /// The unnamed file in which the bytes arrived, as long as space is reserved for it.
    #[must_use]
    pub fn arrived_file(&self) -> Option<Arc<File>> {
        let whole = self.whole()?;
        whole.file().filter(|_| whole.reservation().is_some()).cloned()
    }

    /// The disk space that the bytes take up in the directory of a spool, in bytes, as long as it is reserved for them. 0 while they are
    /// arriving.
    #[must_use]
    pub fn arrived_bytes(&self) -> u64 {
        self.whole().map_or(0, |whole| whole.reservation().as_ref().map_or(0, Reservation::bytes_in_directory))
    }

    /// Records that the file in which the bytes arrived now has a name and is accounted for as the file of an entry.
    pub fn end_arrival(&self) {
        if let Some(whole) = self.whole() {
            whole.reservation().take();
        }
    }

    /// Records that a cache no longer holds these bytes. Returns true on the first call if the bytes are in a file, whose space may not be
    /// accounted for elsewhere.
    #[must_use]
    pub fn release(&self) -> bool {
        let file = self.whole().filter(|whole| whole.file().is_some());
        file.is_some_and(|whole| !whole.is_released.swap(true, Ordering::Relaxed))
    }

    /// The identity of the file and its disk space in bytes, if its name was removed while it is open. `None` if the file has a name, or if
    /// space is reserved for it.
    #[must_use]
    pub fn removed_file(&self) -> Option<((u64, u64), u64)> {
        let whole = self.whole()?;
        let file = whole.file()?;
        if whole.reservation().is_some() {
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

    /// The first `count` bytes, or all if there are fewer; for a body that is arriving, as many of them as have arrived. Blocks while it
    /// reads a file, so use it for small counts only.
    ///
    /// # Errors
    /// When the file cannot be read, or has shrunk.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        match (self.whole(), &*self.0) {
            (None, Inner::Arriving(arrival)) => match arrival.outcome() {
                Some(Err(failure)) => Err(ended_early(failure)),
                _ => arrival.received().head(count),
            },
            (Some(whole), _) => whole.source.head(count),
            (None, Inner::Whole(_)) => Ok(Bytes::new()),
        }
    }

    /// All bytes. A file is read on another thread, unless it is small.
    ///
    /// # Errors
    /// When the file cannot be read, or has shrunk; or when the download fails.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        self.when_whole().await?.source.bytes().await
    }

    /// The same bytes in memory, with their digest. The digest is computed, unless it is known and the file [is
    /// unchanged](Self::is_unchanged).
    ///
    /// # Errors
    /// As for [`bytes`](Self::bytes).
    pub async fn load(&self) -> io::Result<Self> {
        let whole = self.when_whole().await?;
        let bytes = whole.source.bytes().await?;
        if let Some(digest) = self.known_digest().filter(|_| whole.is_unchanged()) {
            return Ok(Self::from(Whole::with_digest(bytes, digest)).with_marks_of(self));
        }
        let loaded = Self::from(bytes).with_marks_of(self);
        // Judging by the stamp, this is also the digest of the file.
        let _ = whole.digest.set(loaded.digest().await?);
        Ok(loaded)
    }

    /// The SHA-256 of the bytes. It is computed once for a blob and its clones, even for concurrent callers, and on another thread unless
    /// the blob is small.
    ///
    /// # Errors
    /// As for [`bytes`](Self::bytes).
    pub async fn digest(&self) -> io::Result<Sha256Digest> {
        self.when_whole().await?.digest().await
    }

    /// The digest, if it has been computed.
    #[must_use]
    pub fn known_digest(&self) -> Option<Sha256Digest> {
        self.whole()?.digest.get().copied()
    }

    /// Whether the bytes are still those that the blob was created with, judging by the times and the size of its file. If only the times
    /// have changed, the file is read and compared with the digest, if the digest is known. Always true for bytes in memory, and for a body
    /// that is arriving.
    pub async fn is_intact(&self) -> bool {
        match self.whole() {
            Some(whole) => whole.is_intact().await,
            None => true,
        }
    }

    /// Whether the file, its times and its number of names are unchanged, which implies that the bytes are unchanged. Always true for bytes
    /// in memory, and for a body that is arriving; false once a read of the file has failed. Unlike [`is_intact`](Self::is_intact), this
    /// never reads the file.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.whole().is_none_or(Whole::is_unchanged)
    }

    /// Reads bytes starting at `position`: as many as are in memory or in the system's page cache and fit into `buffer`. Returns their
    /// number. Never waits for a disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none of the bytes are cached now, or while the body is arriving. Any other error means that the
    /// file cannot be read or has shrunk; from then on, it does not count as [unchanged](Self::is_unchanged).
    pub fn read_cached(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.whole().ok_or(io::ErrorKind::WouldBlock)?.read_cached(position, buffer)
    }

    /// Reads up to `count` bytes starting at `position`, on a thread that may block. Advises the system to read the `ahead` bytes after
    /// them into its cache.
    ///
    /// # Errors
    /// As for [`read_cached`](Self::read_cached), except for `WouldBlock`; and as for [`bytes`](Self::bytes).
    pub async fn read(&self, position: u64, count: usize, ahead: u64) -> io::Result<Bytes> {
        self.when_whole().await?.read(position, count, ahead).await
    }

    /// Marks the bytes as no longer correct. Returns false if this blob or a clone has already been marked.
    #[must_use]
    pub fn condemn(&self) -> bool {
        self.whole().is_some_and(|whole| !whole.is_condemned.swap(true, Ordering::Relaxed))
    }

    /// The bytes in `range`, clipped to the blob, in chunks. If the file has shrunk, the stream ends with an error.
    ///
    /// For a body that is arriving, a chunk has at most 64 KiB. The stream follows the download, and ends with an error if the download
    /// fails. The last byte of a body with an [expected length](Self::expected_len) follows once the body is known to be complete.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        // The clone keeps an arriving body alive. Once the body has arrived, the clone keeps its space reserved.
        let blob = self.clone();
        stream::try_unfold(range.start, move |position| {
            let blob = blob.clone();
            async move {
                let chunk = blob.next(position, range.end).await?;
                Ok(chunk.map(|chunk| {
                    let next = position + chunk.len() as u64;
                    (chunk, next)
                }))
            }
        })
    }

    /// Writes all bytes to the start of `file`, on another thread unless the blob is small.
    ///
    /// # Errors
    /// Any error of the operating system, such as [`io::ErrorKind::StorageFull`], or the error of a download that fails.
    /// [`io::ErrorKind::ExecutableFileBusy`] if the bytes are in a file that has been written to since their digest was computed, or that
    /// cannot be read.
    pub async fn write_to(&self, file: Arc<File>) -> io::Result<()> {
        let whole = self.when_whole().await?;
        let source = whole.source.clone();
        run(source.len(), move || source.write_to(&file)).await?;
        whole.check_unwritten()
    }
}

/// The part of a body that has arrived.
enum Arrived<'a> {
    Piece(Bytes),
    All(&'a Whole),
}

impl Blob {
    /// The next chunk between `position` and `end`. `None` at the end.
    async fn next(&self, position: u64, end: u64) -> io::Result<Option<Bytes>> {
        if position >= end {
            return Ok(None);
        }
        let whole = match self.arrived(position, end).await? {
            Arrived::Piece(bytes) => return Ok(Some(bytes)),
            Arrived::All(whole) => whole,
        };
        let end = end.min(whole.source.len());
        if position >= end {
            return Ok(None);
        }
        whole.chunk(position, end).await.map(Some)
    }

    async fn arrived(&self, position: u64, end: u64) -> io::Result<Arrived<'_>> {
        match &*self.0 {
            Inner::Whole(whole) => Ok(Arrived::All(whole)),
            Inner::Arriving(arrival) => match arrival.next(position, end).await {
                Next::Piece(piece) => piece.read().await.map(Arrived::Piece),
                Next::Ended(outcome) => outcome.as_ref().map(Arrived::All).map_err(ended_early),
            },
        }
    }
}

impl Completion {
    /// Ends the body early, unless it has already ended: the download is abandoned, and readers get this failure.
    pub fn fail(&self, failure: FetchError) {
        self.0.abandon(failure);
    }

    /// Waits until all bytes have arrived, and returns their number.
    ///
    /// # Errors
    /// The reason why the download failed, or an error saying that its body was no longer needed.
    pub async fn wait(self) -> Result<u64, FetchError> {
        self.0.ended().await.as_ref().map(|whole| whole.source.len()).map_err(Clone::clone)
    }
}

impl WeakBlob {
    /// The blob, if it still exists.
    #[must_use]
    pub fn upgrade(&self) -> Option<Blob> {
        self.0.upgrade().map(Blob)
    }
}

/// The error for readers of a body that ended early.
fn ended_early(failure: &FetchError) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, failure.clone())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

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
        // Lengths below and above the limits at which work moves to another thread and a stream has several chunks.
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
    async fn reading_a_file_that_has_shrunk_is_an_error() {
        let file = file_of(b"0123456789");
        let blob = Blob::from_file(file.clone()).unwrap();
        file.set_len(9).unwrap();
        assert!(blob.bytes().await.is_err());
        assert!(blob.digest().await.is_err());
        assert!(collect(&blob, 0..10).await.is_err());
    }

    #[tokio::test]
    async fn file_changed_by_another_program_is_not_intact() {
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
        assert!(blob.is_intact().await, "a change of names does not affect the bytes");
        assert!(Blob::from("bytes").is_intact().await);
        assert!(blob.clone().condemn() && !blob.condemn(), "only the first call returns true");
    }

    #[tokio::test]
    async fn file_counts_as_changed_after_a_failed_read() {
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
    async fn stored_blob_takes_over_the_digest_of_the_written_body_without_recomputing_it() {
        let body = Blob::from("0123456789");
        let digest = body.digest().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Arc::new(File::options().read(true).write(true).open(path).unwrap())
        };
        let file = named("a", b"0123456789");
        let stored = Blob::stored(file.clone(), &body).unwrap();
        assert_eq!(stored.known_digest(), Some(digest));
        assert_eq!(stored.load().await.unwrap().known_digest(), Some(digest));
        // The file does not contain the bytes of `body`, which only a digest would reveal, since its times are unchanged.
        let others = Blob::stored(named("b", b"9876543210"), &body).unwrap();
        assert_eq!(others.load().await.unwrap().known_digest(), Some(digest), "the digest was not computed again");
        assert!(Blob::stored(named("c", b"short"), &body).is_err());
        assert!(Blob::stored(file_of(b"0123456789"), &body).is_err(), "the file has no name");
        file.write_all_at(b"9876543210", 0).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_ne!(stored.load().await.unwrap().known_digest(), Some(digest), "the file has changed");
    }

    #[tokio::test]
    async fn file_that_is_written_to_after_its_digest_was_computed_is_not_copied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "0123456789").unwrap();
        let open = || Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
        let [blob, other] = [open(), open()];
        blob.digest().await.unwrap();
        std::fs::hard_link(&path, directory.path().join("b")).unwrap();
        blob.write_to(file_of(b"")).await.unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"9876543210", 0).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(blob.write_to(file_of(b"")).await.unwrap_err().kind(), io::ErrorKind::ExecutableFileBusy);
        other.write_to(file_of(b"")).await.unwrap();
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

    #[test]
    fn directory_cannot_become_a_blob() {
        let directory = tempfile::tempdir().unwrap();
        let error = Blob::from_file(Arc::new(File::open(directory.path()).unwrap())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
