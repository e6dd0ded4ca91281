//! Bytes as they come in: in memory while they are few, and in a file without a name from then on, so that a body needs little memory
//! however large it is.

use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::blob::Blob;

/// How much is gathered before it is written to the file, in bytes: each write is a trip to another thread.
const WRITE_SIZE: usize = 256 * 1024;

/// What has been received so far.
pub(crate) struct Spool {
    above: u64,
    dir: PathBuf,
    held: Vec<u8>,
    file: Option<BufWriter<tokio::fs::File>>,
}

impl Spool {
    /// Keeps up to `above` bytes in memory; more goes to a file in `dir`.
    pub fn new(above: u64, dir: PathBuf) -> Self {
        Self { above, dir, held: Vec::new(), file: None }
    }

    /// Adds a piece.
    pub async fn append(&mut self, piece: Bytes) -> io::Result<()> {
        if self.file.is_none() && (self.held.len() + piece.len()) as u64 > self.above {
            let file = self.file.insert(BufWriter::with_capacity(WRITE_SIZE, create(&self.dir).await?));
            file.write_all(&mem::take(&mut self.held)).await?;
        }
        match &mut self.file {
            Some(file) => file.write_all(&piece).await,
            None => {
                self.held.extend_from_slice(&piece);
                Ok(())
            }
        }
    }

    /// All of it.
    pub async fn finish(mut self) -> io::Result<Blob> {
        match self.file {
            Some(mut file) => {
                file.flush().await?;
                Blob::from_file(Arc::new(file.into_inner().into_std().await))
            }
            None => {
                // A cache counts a body by its length, so it must not take up more.
                self.held.shrink_to_fit();
                Ok(Blob::from(self.held))
            }
        }
    }
}

/// Creates a file that has no name, and is gone when nothing has it open any more.
async fn create(dir: &Path) -> io::Result<tokio::fs::File> {
    let dir = dir.to_owned();
    let file: File = tokio::task::spawn_blocking(move || tempfile::tempfile_in(dir)).await.map_err(io::Error::other)??;
    Ok(file.into())
}
