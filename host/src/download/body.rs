//! Receiving a body: counted piece by piece as it comes, kept in memory while it is small and in a file without a name from then
//! on, so that a download needs little memory however large its body is. What is not whole is an error.

use std::io;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::timeout;

use super::http::{HttpOptions, cause};
use super::{Blob, FetchError};
use crate::spool::Spool;

/// Receives the whole body of a response.
pub(super) async fn receive(mut response: Response, options: &HttpOptions) -> Result<Blob, FetchError> {
    let too_large = FetchError::TooLarge { limit: options.max_body_bytes };
    let announced = response.content_length();
    if announced.is_some_and(|length| length > options.max_body_bytes) {
        return Err(too_large);
    }
    let mut spool = Spool::new(options.spool_above, options.spool_dir());
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
        _ if received == 0 => Err(FetchError::EmptyBody),
        Some(length) if length != received => {
            Err(FetchError::ShortBody(format!("{length} bytes were announced and {received} came")))
        }
        _ => spool.finish().await.map_err(no_room),
    }
}

async fn next_piece(response: &mut Response, received: u64, options: &HttpOptions) -> Result<Option<Bytes>, FetchError> {
    match timeout(options.idle_timeout, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(FetchError::ShortBody(format!("it broke off after {received} bytes: {}", cause(error)))),
        Err(_) => {
            Err(FetchError::TimedOut(format!("nothing of the body came for {:?}, after {received} bytes", options.idle_timeout)))
        }
    }
}

fn no_room(error: io::Error) -> FetchError {
    FetchError::Other(format!("the body cannot be kept in a temporary file: {error}"))
}
