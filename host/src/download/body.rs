//! Receiving a body: counted piece by piece as it comes, kept in memory while it is small and in a file without a name from then
//! on, so that a download needs little memory however large its body is. What is not whole is an error.

use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Response;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::time::timeout;

use super::http::{HttpOptions, cause};
use super::{Blob, FetchError};

/// How much is gathered before it is written to the file, in bytes: each write is a trip to another thread.
const WRITE_SIZE: usize = 256 * 1024;

/// Receives the whole body of a response.
pub(super) async fn receive(mut response: Response, options: &HttpOptions) -> Result<Blob, FetchError> {
    let too_large = FetchError::TooLarge { limit: options.max_body_bytes };
    let announced = response.content_length();
    if announced.is_some_and(|length| length > options.max_body_bytes) {
        return Err(too_large);
    }
    let mut spool = Spool::new(options);
    let mut received = 0;
    while let Some(piece) = next_piece(&mut response, received, options).await? {
        received += piece.len() as u64;
        if received > options.max_body_bytes {
            return Err(too_large);
        }
        spool.append(piece).await.map_err(no_room)?;
        if let Some(progress) = &options.progress {
            progress(received, announced);
        }
    }
    match announced {
        _ if received == 0 => Err(FetchError::BrokenBody("it is empty".into())),
        Some(length) if length != received => {
            Err(FetchError::BrokenBody(format!("{length} bytes were announced and {received} came")))
        }
        _ => spool.finish().await.map_err(no_room),
    }
}

async fn next_piece(response: &mut Response, received: u64, options: &HttpOptions) -> Result<Option<Bytes>, FetchError> {
    match timeout(options.idle_timeout, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(FetchError::BrokenBody(format!("it broke off after {received} bytes: {}", cause(error)))),
        Err(_) => {
            Err(FetchError::TimedOut(format!("nothing of the body came for {:?}, after {received} bytes", options.idle_timeout)))
        }
    }
}

fn no_room(error: io::Error) -> FetchError {
    FetchError::Other(format!("the body cannot be kept in a temporary file: {error}"))
}

/// What has been received: in memory up to a size, in a file above it.
struct Spool {
    above: u64,
    dir: PathBuf,
    held: Vec<u8>,
    file: Option<BufWriter<tokio::fs::File>>,
}

impl Spool {
    fn new(options: &HttpOptions) -> Self {
        Self { above: options.spool_above, dir: options.spool_dir(), held: Vec::new(), file: None }
    }

    async fn append(&mut self, piece: Bytes) -> io::Result<()> {
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

    async fn finish(mut self) -> io::Result<Blob> {
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
