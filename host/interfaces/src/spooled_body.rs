//! A body that is received chunk by chunk: in memory while it is small, then in an unnamed file. Receiving a body takes little memory,
//! regardless of its size, and its digest is computed as it arrives.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::arrival::Arrival;
use crate::blob::{Blob, Whole};
use crate::failure::FetchError;
use crate::received::Received;
use crate::source::copy;
use crate::spool::{Reservation, Spool, SpoolError};

/// The number of bytes that are written to the file at a time: each write runs on another thread.
const WRITE_BUFFER: usize = 256 * 1024;

/// The space that is reserved at a time for a body of unknown length, in bytes.
const STEP: u64 = 1 << 20;

/// The part of a body that has been received so far.
pub struct SpooledBody {
    max_memory_bytes: u64,
    spool: Arc<Spool>,
    announced: Option<u64>,
    hasher: Sha256,
    received: Arc<Received>,
    file: Option<SpooledFile>,
}

impl SpooledBody {
    /// Keeps up to `max_memory_bytes` in memory; a longer body goes to a file. If its length was declared (`announced`), space for the
    /// whole file is reserved at the start, otherwise as the body arrives.
    #[must_use]
    pub fn new(max_memory_bytes: u64, spool: Arc<Spool>, announced: Option<u64>) -> Self {
        Self { max_memory_bytes, spool, announced, hasher: Sha256::new(), received: Arc::default(), file: None }
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// When there is no space for it, or the file cannot be created or written.
    pub async fn append(&mut self, chunk: Bytes) -> Result<(), SpoolError> {
        self.hasher.update(&chunk);
        let received = self.received.len() + chunk.len() as u64;
        if self.file.is_none() && received > self.max_memory_bytes {
            let reserved = received.max(self.announced.unwrap_or(0));
            self.file = Some(SpooledFile::create(&self.spool, reserved, self.received.clone()).await?);
        }
        match &mut self.file {
            Some(file) => file.append(&chunk).await,
            None => {
                self.received.append(&chunk);
                Ok(())
            }
        }
    }

    /// How many bytes have been received.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received.len()
    }

    /// The first `count` bytes, or all that have been received if there are fewer. Blocks while it reads a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        self.received.head(count)
    }

    /// Ends the body, and returns it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn finish(self) -> Result<Blob, SpoolError> {
        self.into_whole().await.map(Blob::from)
    }

    /// Allows the body to be read while the rest of it arrives.
    #[must_use]
    pub fn into_arriving(self) -> (Blob, ArrivingBody) {
        let arrival = Arc::new(Arrival::new(self.received.clone(), self.announced));
        (Blob::arriving(arrival.clone()), ArrivingBody { body: Some(self), arrival })
    }

    async fn into_whole(self) -> Result<Whole, SpoolError> {
        let digest = self.hasher.finalize().into();
        match self.file {
            Some(mut file) => {
                file.flush().await?;
                let (_, written) = self.received.unwritten();
                file.reservation.shrink(written);
                let whole = Whole::arrived(file.file, written, digest, file.reservation);
                whole.map_err(|error| SpoolError::Io { directory: self.spool.directory().to_owned(), error })
            }
            None => {
                let mut memory = self.received.take_buffer();
                // The cache accounts for a body by its length, so the buffer must not be larger.
                memory.shrink_to_fit();
                Ok(Whole::with_digest(memory, digest))
            }
        }
    }
}

/// The writer of a body that is read while it arrives. If it is dropped before the body is [finished](Self::finish), its readers get an
/// error.
pub struct ArrivingBody {
    /// `None` once the body has ended.
    body: Option<SpooledBody>,
    arrival: Arc<Arrival<Whole>>,
}

/// Waits until the rest of a body that is arriving is no longer needed.
pub struct Abandoned(Arc<Arrival<Whole>>);

impl ArrivingBody {
    /// Appends a chunk.
    ///
    /// # Errors
    /// When there is no space for it, or the file cannot be created or written.
    pub async fn append(&mut self, chunk: Bytes) -> Result<(), SpoolError> {
        if let Some(body) = &mut self.body {
            body.append(chunk).await?;
        }
        self.arrival.has_more();
        Ok(())
    }

    /// Ends a body that is complete. If it cannot be kept, its readers get the error that `failure` returns.
    pub async fn finish(mut self, failure: impl FnOnce(SpoolError) -> FetchError) {
        if let Some(body) = self.body.take() {
            self.arrival.end(body.into_whole().await.map_err(failure));
        }
    }

    /// Ends a body that failed.
    pub fn fail(mut self, failure: FetchError) {
        self.body = None;
        self.arrival.end(Err(failure));
    }

    /// A handle for waiting until the rest of the body is no longer needed.
    #[must_use]
    pub fn abandoned(&self) -> Abandoned {
        Abandoned(self.arrival.clone())
    }
}

impl Abandoned {
    /// Waits until the rest of the body is no longer needed.
    pub async fn wait(self) {
        self.0.abandoned().await;
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        self.arrival.end(Err(FetchError::abandoned()));
    }
}

/// An unnamed file, with space reserved for it.
struct SpooledFile {
    file: Arc<File>,
    reservation: Reservation,
    received: Arc<Received>,
}

impl SpooledFile {
    async fn create(spool: &Arc<Spool>, bytes: u64, received: Arc<Received>) -> Result<Self, SpoolError> {
        let mut reservation = spool.reserve(bytes)?;
        let file = match reservation.create_file().await {
            Err(_) if reservation.can_overflow() => {
                reservation = reservation.overflow(bytes)?;
                reservation.create_file().await?
            }
            created => created?,
        };
        received.set_file(file.clone());
        Ok(Self { file, reservation, received })
    }

    async fn append(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let received = self.received.len() + bytes.len() as u64;
        let missing = received.saturating_sub(self.reservation.bytes());
        if missing > 0 && !self.reservation.grow(missing.next_multiple_of(STEP)) {
            self.relocate(received.next_multiple_of(STEP)).await?;
        }
        if self.received.append(bytes) >= WRITE_BUFFER { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        match self.write().await? {
            Err(error) if !self.reservation.can_overflow() => Err(self.reservation.failed(error)),
            Err(_) => {
                self.relocate(self.reservation.bytes()).await?;
                self.write().await?.map_err(|error| self.reservation.failed(error))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes the contents of the buffer. If the file system fails, they remain in the buffer.
    async fn write(&mut self) -> Result<io::Result<()>, SpoolError> {
        let (file, (buffer, position)) = (self.file.clone(), self.received.unwritten());
        let written = tokio::task::spawn_blocking(move || file.write_all_at(&buffer, position)).await;
        let written = written.map_err(|error| self.reservation.failed(io::Error::other(error)))?;
        if written.is_ok() {
            self.received.has_written();
        }
        Ok(written)
    }

    /// Moves the body to a file in the overflow directory, and continues there.
    async fn relocate(&mut self, bytes: u64) -> Result<(), SpoolError> {
        let reservation = self.reservation.overflow(bytes)?;
        let file = reservation.create_file().await?;
        let (from, to, (_, written)) = (self.file.clone(), file.clone(), self.received.unwritten());
        let copied = tokio::task::spawn_blocking(move || copy(&from, &to, written)).await;
        copied.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| reservation.failed(error))?;
        self.received.set_file(file.clone());
        (self.file, self.reservation) = (file, reservation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use futures::{FutureExt, TryStreamExt};

    use super::*;
    use crate::free_space_floor::FreeSpaceFloor;
    use crate::source::STREAM_CHUNK;

    async fn receive(chunks: &[&'static str], max_memory_bytes: u64) -> Blob {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().to_owned(), FreeSpaceFloor::default());
        let mut body = SpooledBody::new(max_memory_bytes, spool, None);
        for chunk in chunks {
            body.append(Bytes::from_static(chunk.as_bytes())).await.unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a spooled file has no name");
        body.finish().await.unwrap()
    }

    fn chunk(length: usize) -> Bytes {
        (0..length).map(|index| (index % 251) as u8).collect::<Vec<_>>().into()
    }

    #[tokio::test]
    async fn body_goes_to_a_file_once_it_exceeds_the_memory_limit() {
        for (limit, is_in_memory) in [(0, false), (5, false), (6, true), (7, true)] {
            let body = receive(&["one", "two"], limit).await;
            assert_eq!(body.in_memory().is_some(), is_in_memory, "limit {limit}");
            assert_eq!(body.bytes().await.unwrap(), "onetwo");
        }
        assert!(receive(&[], 0).await.is_empty());
    }

    #[tokio::test]
    async fn digest_is_computed_while_the_body_arrives() {
        for limit in [0, 6] {
            let body = receive(&["one", "two"], limit).await;
            assert_eq!(body.known_digest(), Some(Sha256::digest("onetwo").into()));
        }
    }

    #[tokio::test]
    async fn space_is_reserved_while_the_body_arrives_and_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        for (announced, reserved) in
            [(None, [0, 10, STEP + 10, STEP + 10]), (Some(STEP + 10), [0, STEP + 10, STEP + 10, STEP + 10])]
        {
            let spool = Spool::new(dir.path().to_owned(), FreeSpaceFloor::default());
            let mut body = SpooledBody::new(5, spool.clone(), announced);
            for (length, reserved) in [5, 5, 5, STEP as usize - 5].into_iter().zip(reserved) {
                body.append(chunk(length)).await.unwrap();
                assert_eq!(spool.arriving_bytes(), reserved, "{announced:?}");
            }
            let body = body.finish().await.unwrap();
            assert_eq!(spool.arriving_bytes(), STEP + 10);
            let other = body.clone();
            drop(body);
            assert_eq!(spool.arriving_bytes(), STEP + 10, "a clone is in use");
            drop(other);
            assert_eq!(spool.arriving_bytes(), 0);
        }
    }

    #[tokio::test]
    async fn body_that_outgrows_the_allowance_is_completed_in_the_overflow() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().to_owned(), FreeSpaceFloor::default());
        spool.set_allowance(STEP);
        let mut body = SpooledBody::new(0, spool.clone(), None);
        let chunks: Vec<Bytes> = (1..=8).map(|number| chunk(number * 100_000)).collect();
        for chunk in &chunks {
            body.append(chunk.clone()).await.unwrap();
        }
        let body = body.finish().await.unwrap();
        assert_eq!(body.bytes().await.unwrap(), chunks.concat());
        assert_eq!(spool.arriving_bytes(), 0, "it is not in the directory");
        let mut large = SpooledBody::new(0, spool.clone(), Some(2 << 30));
        let full = large.append(chunk(1)).await.unwrap_err();
        assert!(matches!(full, SpoolError::Full(_)), "{full}");
        drop(body);
        SpooledBody::new(0, spool, Some(2 << 30)).append(chunk(1)).await.unwrap();
    }

    /// Reads everything from a body that is arriving, in chunks.
    async fn read(body: &Blob) -> io::Result<Vec<Bytes>> {
        body.stream(0..u64::MAX).try_collect().await
    }

    #[tokio::test]
    async fn body_is_readable_while_it_arrives() {
        for limit in [0, 100_000, 1 << 20] {
            let mut body = SpooledBody::new(limit, Spool::temporary(), None);
            body.append(chunk(10)).await.unwrap();
            let (blob, mut writer) = body.into_arriving();
            let reader = tokio::spawn({
                let blob = blob.clone();
                async move { read(&blob).await }
            });
            assert_eq!((blob.len(), blob.head(20).unwrap(), blob.is_arriving()), (10, chunk(10), true));
            assert_eq!((blob.known_digest(), blob.in_memory(), blob.expected_len()), (None, None, None));
            // More than one write to the file.
            writer.append(chunk(WRITE_BUFFER)).await.unwrap();
            writer.append(chunk(7)).await.unwrap();
            let sent = [chunk(10), chunk(WRITE_BUFFER), chunk(7)].concat();
            assert_eq!(blob.head(sent.len()).unwrap(), sent);
            let digest = blob.digest();
            writer.finish(|_| FetchError::NotFound).await;
            let chunks = reader.await.unwrap().unwrap();
            assert_eq!(chunks.concat(), sent, "limit {limit}");
            assert!(chunks.iter().all(|chunk| chunk.len() <= STREAM_CHUNK) || limit == 1 << 20);
            assert_eq!(digest.await.unwrap()[..], Sha256::digest(&sent)[..]);
            assert_eq!((blob.finished().await, blob.is_arriving(), blob.len()), (Ok(()), false, sent.len() as u64));
            assert_eq!(blob.in_memory().is_some(), limit == 1 << 20);
            assert_eq!(read(&blob).await.unwrap().concat(), sent);
        }
    }

    #[tokio::test]
    async fn last_byte_of_a_declared_length_is_readable_only_at_the_end() {
        for fails in [false, true] {
            let mut body = SpooledBody::new(100, Spool::temporary(), Some(10));
            body.append(chunk(10)).await.unwrap();
            let (blob, writer) = body.into_arriving();
            let mut chunks = Box::pin(blob.stream(0..u64::MAX));
            assert_eq!(chunks.try_next().await.unwrap().unwrap(), chunk(9));
            assert!(chunks.try_next().now_or_never().is_none());
            match fails {
                true => writer.fail(FetchError::Gone),
                false => writer.finish(|_| FetchError::NotFound).await,
            }
            assert_eq!(chunks.try_next().await.is_err(), fails);
            assert_eq!(blob.failure(), fails.then_some(FetchError::Gone));
        }
    }

    #[tokio::test]
    async fn body_ends_early_without_its_writer_and_is_abandoned_without_readers() {
        let (blob, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
        drop(writer);
        assert!(blob.finished().await.is_err() && blob.bytes().await.is_err() && blob.head(1).is_err());

        let (blob, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
        let (mut abandoned, stream, weak) = (Box::pin(writer.abandoned().wait()), blob.stream(0..1), blob.downgrade());
        drop(blob);
        assert!((&mut abandoned).now_or_never().is_none(), "the stream still reads the body");
        drop(stream);
        abandoned.await;
        assert!(weak.upgrade().is_none());

        let (blob, writer) = SpooledBody::new(100, Spool::temporary(), None).into_arriving();
        blob.completion().unwrap().fail(FetchError::Gone);
        writer.abandoned().wait().await;
        assert_eq!(blob.finished().await, Err(FetchError::Gone));
    }

    #[tokio::test]
    async fn unusable_spool_directory_falls_back_to_the_overflow() {
        let spool = Spool::new("/dev/null/spool".into(), FreeSpaceFloor::default());
        let mut body = SpooledBody::new(0, spool, None);
        body.append(chunk(10)).await.unwrap();
        assert_eq!(body.finish().await.unwrap().bytes().await.unwrap(), chunk(10));
    }

    #[tokio::test]
    async fn body_continues_in_the_overflow_when_the_disk_is_full() {
        // `/dev/full` can be opened, but writes to it fail.
        let full = Path::new("/dev/full");
        let spool = Spool::new(tempfile::tempdir().unwrap().path().to_owned(), FreeSpaceFloor::default());
        let received = Arc::<Received>::default();
        let mut file = SpooledFile::create(&spool, STEP, received.clone()).await.unwrap();
        file.file = Arc::new(File::options().read(true).write(true).open(full).unwrap());
        file.append(&chunk(10)).await.unwrap();
        file.flush().await.unwrap();
        assert_eq!((received.unwritten().1, file.reservation.can_overflow()), (10, false));
        assert_eq!(received.head(20).unwrap(), chunk(10));
    }
}
