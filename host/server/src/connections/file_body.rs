//! A response body that is sent from a file, below hyper.
//!
//! Bytes in the system's page cache are read into a per-thread buffer and written immediately. Bytes that the client does not accept are
//! not kept but read again later, so a slow reader occupies no memory here. Bytes that are not in the page cache are read by a thread that
//! may block. They are read in pieces that are kept until the client has accepted them, and the system is asked to read ahead.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use media_cache::Blob;

/// The maximum number of bytes that are read and written at a time, as long as the client accepts all of them.
const LARGEST_CHUNK: usize = 256 << 10;

/// The minimum number of bytes that are read at a time after the client has accepted only some of them.
const SMALLEST_CHUNK: usize = 16 << 10;

/// The maximum number of bytes that are kept for a client, and the number that are read next for a client that accepted nothing. When such
/// a client reads again, the kernel's buffer has about this much room.
const KEPT: usize = 64 << 10;

/// How far the system is asked to read ahead, in bytes.
const AHEAD: u64 = 1 << 20;

/// The bytes of a range of a file that have not been sent yet.
pub(crate) struct FileBody {
    blob: Blob,
    left: Range<u64>,
    /// The number of bytes that are read at a time.
    chunk: usize,
    /// A read in progress in another thread.
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
    /// The bytes from that thread that the client has not accepted yet.
    read: Bytes,
}

impl FileBody {
    pub fn new(blob: Blob, part: Range<u64>) -> Self {
        Self { blob, left: part, chunk: LARGEST_CHUNK, reading: None, read: Bytes::new() }
    }

    /// Whether all of it has been sent.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next bytes, at least one unless the body is empty. They may be in `buffer`.
    ///
    /// # Errors
    /// If the file cannot be read, or has shrunk.
    pub fn poll_chunk<'a>(&'a mut self, cx: &mut Context<'_>, buffer: &'a mut Vec<u8>) -> Poll<io::Result<&'a [u8]>> {
        if self.read.is_empty() && self.reading.is_none() {
            buffer.resize(LARGEST_CHUNK, 0);
            let count = self.up_to(self.chunk);
            match self.blob.read_cached(self.left.start, &mut buffer[..count]) {
                Ok(read) => return Poll::Ready(Ok(&buffer[..read])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            let (blob, start, count) = (self.blob.clone(), self.left.start, self.up_to(KEPT));
            let ahead = (self.left.end - start - count as u64).min(AHEAD);
            self.reading = Some(Box::pin(async move { blob.read(start, count, ahead).await }));
        }
        if let Some(reading) = &mut self.reading {
            let read = ready!(reading.as_mut().poll(cx));
            self.reading = None;
            self.read = read?;
        }
        Poll::Ready(Ok(&self.read))
    }

    /// The number of bytes that are left, but at most `count`.
    fn up_to(&self, count: usize) -> usize {
        usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX).min(count)
    }

    /// Records that the client has accepted `taken` of the `offered` bytes; `None` if it accepts none at the moment.
    pub fn sent(&mut self, offered: usize, taken: Option<usize>) {
        self.chunk = match taken {
            None => KEPT,
            Some(taken) if taken < offered => taken.next_power_of_two().clamp(SMALLEST_CHUNK, LARGEST_CHUNK),
            Some(_) => (2 * self.chunk).min(LARGEST_CHUNK),
        };
        let taken = taken.unwrap_or(0);
        self.left.start += taken as u64;
        self.read.advance(taken.min(self.read.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::future::poll_fn;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use super::*;

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Arc::new(file)
    }

    /// Reads the body like a client that accepts at most `most` bytes at a time. Returns the body, and the number of bytes offered each
    /// time.
    async fn take(body: &mut FileBody, most: usize) -> io::Result<(Vec<u8>, Vec<usize>)> {
        let (mut buffer, mut taken, mut offered) = (Vec::new(), Vec::new(), Vec::new());
        while !body.is_empty() {
            let count = poll_fn(|cx| {
                let chunk = ready!(body.poll_chunk(cx, &mut buffer))?;
                taken.extend_from_slice(&chunk[..chunk.len().min(most)]);
                Poll::Ready(io::Result::Ok(chunk.len()))
            });
            let count = count.await?;
            offered.push(count);
            body.sent(count, Some(count.min(most)));
        }
        Ok((taken, offered))
    }

    #[tokio::test]
    async fn file_chunks_shrink_if_the_client_accepts_few_bytes() {
        let bytes: Vec<u8> = (0..1_000_000).map(|index| (index % 251) as u8).collect();
        let blob = Blob::from_file(file_of(&bytes)).unwrap();
        let mut body = FileBody::new(blob.clone(), 5..900_000);
        let (taken, offered) = take(&mut body, usize::MAX).await.unwrap();
        assert!(taken == bytes[5..900_000]);
        assert_eq!(offered, [262_144, 262_144, 262_144, 900_000 - 5 - 3 * 262_144]);
        let mut body = FileBody::new(blob, 0..1_000_000);
        let (taken, offered) = take(&mut body, 10_000).await.unwrap();
        assert!(taken == bytes);
        assert!(offered[1..].iter().all(|offered| *offered <= SMALLEST_CHUNK), "{offered:?}");
    }

    #[tokio::test]
    async fn bytes_read_by_another_thread_are_kept_until_the_client_accepts_them() {
        let bytes: Vec<u8> = (0..200_000).map(|index| (index % 251) as u8).collect();
        let blob = Blob::from_file(file_of(&bytes)).unwrap();
        let mut body = FileBody::new(blob.clone(), 0..200_000);
        // As if the page cache were empty.
        body.reading = Some(Box::pin(async move { blob.read(0, KEPT, 0).await }));
        let (taken, offered) = take(&mut body, 40_000).await.unwrap();
        assert!(taken == bytes);
        assert_eq!(offered[..2], [KEPT, KEPT - 40_000]);
        // Once the client has accepted all offered bytes, twice as many are read.
        assert!(offered.iter().all(|offered| *offered <= 2 * KEPT), "{offered:?}");
    }

    #[tokio::test]
    async fn file_that_shrinks_or_cannot_be_read_is_an_error_and_is_marked_as_changed() {
        let file = file_of(&[7; 100_000]);
        let blob = Blob::from_file(file.clone()).unwrap();
        file.set_len(50_000).unwrap();
        assert!(take(&mut FileBody::new(blob.clone(), 0..100_000), usize::MAX).await.is_err());
        assert!(!blob.is_unchanged());
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), "bytes").unwrap();
        let for_writing = File::options().write(true).open(directory.path().join("a")).unwrap();
        let blob = Blob::from_file(Arc::new(for_writing)).unwrap();
        assert!(blob.is_unchanged());
        assert!(take(&mut FileBody::new(blob.clone(), 0..5), usize::MAX).await.is_err());
        assert!(!blob.is_unchanged());
    }
}
