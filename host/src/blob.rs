//! Media bytes, kept on the host's side.
//!
//! A component never sees the bytes of a picture or a film: it holds a handle to a [`Blob`], which is either in memory or an open
//! file. Cloning a blob is cheap and copies nothing. An open file stays readable after its name is removed, so a blob that was
//! handed out outlives the eviction of its entry.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::stream::{self, Stream};
use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 256 * 1024;

/// How much of a file is read at a time to be handed out, in bytes. It waits in memory until its client takes it, which may be slow and
/// one of thousands.
const PIECE: usize = 64 * 1024;

/// Up to how many bytes are read, written or digested in place: a trip to another thread takes longer than that.
const IN_PLACE: u64 = 16 * 1024;

/// A run of bytes that never changes: in memory, or an open file.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    digest: OnceLock<Sha256Digest>,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File { file: Arc<File>, len: u64 },
}

impl<B: Into<Bytes>> From<B> for Blob {
    fn from(bytes: B) -> Self {
        Self::new(Source::Memory(bytes.into()))
    }
}

impl Blob {
    fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, digest: OnceLock::new() }))
    }

    /// The bytes of an open file, as long as it is now.
    ///
    /// # Errors
    /// When the file cannot be inspected, or is not a regular file.
    pub fn from_file(file: Arc<File>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self::new(Source::File { file, len: metadata.len() }))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File { len, .. } => *len,
        }
    }

    /// Whether there are no bytes at all.
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

    /// The first `count` bytes, or all where there are fewer. Reads a file in place: for small counts.
    ///
    /// # Errors
    /// When the file cannot be read, or became shorter than it was.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        let count = usize::try_from(self.len()).unwrap_or(usize::MAX).min(count);
        match &self.0.source {
            Source::Memory(bytes) => Ok(bytes.slice(..count)),
            Source::File { file, .. } => read_at(file, 0, count),
        }
    }

    /// All bytes, read from the file where they are not in memory: off the calling thread, unless they are few.
    ///
    /// # Errors
    /// When the file cannot be read, or became shorter than it was.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        match &self.0.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::File { file, len } => {
                let (file, len) = (file.clone(), usize::try_from(*len).map_err(io::Error::other)?);
                work(len as u64, move || read_at(&file, 0, len)).await
            }
        }
    }

    /// The same bytes in memory, with the digest worked out on the way.
    ///
    /// # Errors
    /// When the file cannot be read, or became shorter than it was.
    pub async fn load(&self) -> io::Result<Self> {
        let loaded = Self::from(self.bytes().await?);
        loaded.digest().await?;
        Ok(loaded)
    }

    /// The SHA-256 of the bytes. Worked out once, off the calling thread unless they are few; after that, and for clones, it is there.
    ///
    /// # Errors
    /// When the file cannot be read, or became shorter than it was.
    pub async fn digest(&self) -> io::Result<Sha256Digest> {
        if let Some(digest) = self.0.digest.get() {
            return Ok(*digest);
        }
        let source = self.0.source.clone();
        let digest = work(self.len(), move || source.digest()).await?;
        Ok(*self.0.digest.get_or_init(|| digest))
    }

    /// The digest, where it has been worked out.
    #[must_use]
    pub fn known_digest(&self) -> Option<Sha256Digest> {
        self.0.digest.get().copied()
    }

    /// The bytes from `range.start` up to, not including, `range.end`, in pieces. What lies past the end of the blob is left out.
    /// A file that became shorter ends the stream with an error.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let end = range.end.min(self.len());
        let source = self.0.source.clone();
        stream::try_unfold(range.start.min(end), move |at| {
            let source = source.clone();
            async move {
                if at == end {
                    return Ok(None);
                }
                let piece = match source {
                    Source::Memory(bytes) => bytes.slice(at as usize..end as usize),
                    Source::File { file, .. } => {
                        let count = (end - at).min(PIECE as u64) as usize;
                        work(count as u64, move || read_at(&file, at, count)).await?
                    }
                };
                let next = at + piece.len() as u64;
                Ok(Some((piece, next)))
            }
        })
    }

    /// Writes all bytes to the start of `file`, off the calling thread unless they are few.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::StorageFull`] where there is no room.
    pub async fn write_to(&self, file: Arc<File>) -> io::Result<()> {
        let source = self.0.source.clone();
        work(self.len(), move || match source {
            Source::Memory(bytes) => file.write_all_at(&bytes, 0),
            Source::File { file: from, len } => copy(&from, &file, len),
        })
        .await
    }
}

impl Source {
    fn digest(&self) -> io::Result<Sha256Digest> {
        match self {
            Self::Memory(bytes) => Ok(Sha256::digest(bytes).into()),
            Self::File { file, len } => {
                let mut hasher = Sha256::new();
                let mut at = 0;
                while at < *len {
                    let piece = read_at(file, at, (len - at).min(CHUNK as u64) as usize)?;
                    hasher.update(&piece);
                    at += piece.len() as u64;
                }
                Ok(hasher.finalize().into())
            }
        }
    }
}

/// Copies `len` bytes from the start of one file to the start of another.
fn copy(from: &File, to: &File, len: u64) -> io::Result<()> {
    let mut at = 0;
    while at < len {
        let piece = read_at(from, at, (len - at).min(CHUNK as u64) as usize)?;
        to.write_all_at(&piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

fn read_at(file: &File, at: u64, count: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; count];
    file.read_exact_at(&mut buffer, at)?;
    Ok(buffer.into())
}

/// Does work on so many bytes: in place where they are few, and on a thread that may block where they are not.
async fn work<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    if bytes <= IN_PLACE {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
