//! Receiving a body: counted piece by piece as it comes, kept in memory while it is small and in a file without a name from then
//! on, so that a download needs little memory however large its body is. What is not whole is an error.

use std::io;

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout};

use super::cause::{deepest, find};
use super::meter::Meter;
use super::options::HttpOptions;
use super::pace::Pace;
use super::{Blob, FetchError};
use crate::spool::Spool;

/// Receives the whole body of a response.
pub(super) async fn receive(response: Response<Incoming>, options: &HttpOptions) -> Result<Blob, FetchError> {
    let too_large = FetchError::TooLarge { limit: options.max_body_bytes };
    let (head, mut body) = response.into_parts();
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > options.max_body_bytes) {
        return Err(too_large);
    }
    let mut spool = Spool::new(options.spool_above, options.spool_dir());
    let mut pace = Pace::new(options);
    let mut received = 0;
    while let Some(piece) = next_piece(&mut body, received, announced, &mut pace, options).await? {
        received += piece.len() as u64;
        if received > options.max_body_bytes {
            return Err(too_large);
        }
        spool.append(piece).await.map_err(no_room)?;
        if let Some(progress) = &options.progress {
            progress(received, announced);
        }
    }
    // What is not announced and comes in no chunks goes on to the end of the connection: nothing can be behind it.
    let ends_by_itself = announced.is_some() || head.headers.contains_key(http::header::TRANSFER_ENCODING);
    if let Some(meter) = head.extensions.get::<Meter>().filter(|_| ends_by_itself && head.version != Version::HTTP_2) {
        must_have_ended(meter, announced, options).await?;
    }
    match announced {
        _ if received == 0 => Err(FetchError::EmptyBody),
        Some(length) if length != received => Err(unequal(length, received)),
        _ => spool.finish().await.map_err(no_room),
    }
}

async fn next_piece(
    body: &mut Incoming,
    received: u64,
    announced: Option<u64>,
    pace: &mut Pace,
    options: &HttpOptions,
) -> Result<Option<Bytes>, FetchError> {
    let began = Instant::now();
    loop {
        let waiting = Instant::now();
        let idle_left = options.idle_timeout.saturating_sub(began.elapsed());
        let next = timeout(idle_left.min(pace.left()), body.frame()).await;
        let waited = waiting.elapsed();
        match next {
            Ok(Some(Ok(frame))) => {
                // Trailers are frames as well, and nothing of interest.
                let piece = frame.into_data().ok();
                pace.account(waited, piece.as_ref().map_or(0, Bytes::len))?;
                if piece.is_some() {
                    return Ok(piece);
                }
            }
            Ok(Some(Err(error))) => return Err(broken_off(&error, received, announced)),
            Ok(None) => return Ok(None),
            Err(_) if began.elapsed() >= options.idle_timeout => {
                let idle = options.idle_timeout;
                return Err(FetchError::TimedOut(format!("nothing of the body came for {idle:?}, after {received} bytes")));
            }
            Err(_) => pace.account(waited, 0)?,
        }
    }
}

/// What it means that there is no more of a body.
fn broken_off(error: &hyper::Error, received: u64, announced: Option<u64>) -> FetchError {
    let why = deepest(error);
    let io = find::<io::Error>(error).map(io::Error::kind);
    let h2 = find::<h2::Error>(error).filter(|error| !error.is_io() && !error.is_remote()).and_then(h2::Error::reason);
    match (announced, h2) {
        // Nothing else is wrong with a body on this side of an HTTP/2 stream, and which of the two it was is not told.
        (Some(length), Some(h2::Reason::PROTOCOL_ERROR)) => {
            FetchError::BrokenAnswer(format!("{length} bytes were announced, and the body is shorter or longer"))
        }
        _ if matches!(io, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) => {
            FetchError::BrokenAnswer(format!("after {received} bytes of the body: {why}"))
        }
        _ => FetchError::ShortBody(format!("it broke off after {received} bytes: {why}")),
    }
}

/// Whether nothing came behind the body of an HTTP/1 answer. All that has arrived by now is looked at; what arrives later is given to
/// nobody.
async fn must_have_ended(meter: &Meter, announced: Option<u64>, options: &HttpOptions) -> Result<(), FetchError> {
    let settled = timeout(options.idle_timeout, meter.quiet()).await;
    if meter.surplus(announced) == 0 {
        return settled.map_err(|_| FetchError::TimedOut("the connection did not come to rest after the body".into()));
    }
    Err(FetchError::OverlongBody(match announced {
        Some(length) => format!("{length} bytes were announced, and more came"),
        None => "more came after the last chunk".into(),
    }))
}

fn unequal(announced: u64, received: u64) -> FetchError {
    let text = format!("{announced} bytes were announced and {received} came");
    if received < announced { FetchError::ShortBody(text) } else { FetchError::OverlongBody(text) }
}

fn no_room(error: io::Error) -> FetchError {
    FetchError::Other(format!("the body cannot be kept in a temporary file: {error}"))
}
