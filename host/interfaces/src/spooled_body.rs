//! A body that is received chunk by chunk: in memory while it is small, then in a file without a name. Receiving a body takes little
//! memory, however large it is.

use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::blob::Blob;

/// The buffer in front of the file, in bytes: each write to the file is a trip to another thread.
const WRITE_BUFFER: usize = 256 * 1024;

/// The part of a body that has been received so far.
pub struct SpooledBody {
    max_memory_bytes: u64,
    dir: PathBuf,
    memory: Vec<u8>,
    file: Option<BufWriter<tokio::fs::File>>,
}

impl SpooledBody {
    /// Keeps up to `max_memory_bytes` in memory; a longer body goes to a file in `dir`.
    #[must_use]
    pub fn new(max_memory_bytes: u64, dir: PathBuf) -> Self {
        Self { max_memory_bytes, dir, memory: Vec::new(), file: None }
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub async fn append(&mut self, chunk: Bytes) -> io::Result<()> {
        if self.file.is_none() && (self.memory.len() + chunk.len()) as u64 > self.max_memory_bytes {
            let file = self.file.insert(BufWriter::with_capacity(WRITE_BUFFER, unnamed_file(&self.dir).await?));
            file.write_all(&mem::take(&mut self.memory)).await?;
        }
        match &mut self.file {
            Some(file) => file.write_all(&chunk).await,
            None => {
                self.memory.extend_from_slice(&chunk);
                Ok(())
            }
        }
    }

    /// The complete body.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn finish(mut self) -> io::Result<Blob> {
        match self.file {
            Some(mut file) => {
                file.flush().await?;
                Blob::from_file(Arc::new(file.into_inner().into_std().await))
            }
            None => {
                // The cache accounts for a body by its length, so it must not occupy more.
                self.memory.shrink_to_fit();
                Ok(Blob::from(self.memory))
            }
        }
    }
}

/// Creates a file without a name, which is removed when it is closed.
async fn unnamed_file(dir: &Path) -> io::Result<tokio::fs::File> {
    let dir = dir.to_owned();
    let file: File = tokio::task::spawn_blocking(move || tempfile::tempfile_in(dir)).await.map_err(io::Error::other)??;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn receive(chunks: &[&'static str], max_memory_bytes: u64) -> Blob {
        let dir = tempfile::tempdir().unwrap();
        let mut body = SpooledBody::new(max_memory_bytes, dir.path().to_owned());
        for chunk in chunks {
            body.append(Bytes::from_static(chunk.as_bytes())).await.unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a spooled file has no name");
        body.finish().await.unwrap()
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
    async fn missing_directory_is_an_error() {
        let mut body = SpooledBody::new(0, "/nonexistent/spool".into());
        assert!(body.append(Bytes::from_static(b"bytes")).await.is_err());
    }
}
