//! Receives a body: limits its size and rate chunk by chunk, and rejects it unless it is complete.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout};

use crate::byte_counter::ByteCounter;
use crate::delivery::Delivery;
use crate::error_cause::{find_cause, root_cause};
use crate::framing_rules::BodyFraming;
use crate::min_rate::MinRate;
use crate::options::HttpOptions;
use crate::type_decision::TypeDecision;
use media_cache_interfaces::FetchError;

/// How many bytes of a body are received before its start is checked. They always include the second frame header of an MP3.
const CHECKED_BYTES: usize = 1500;

/// The length of the body as declared by a response. Fails if it exceeds the limit.
pub(crate) fn announced_length(
    response: &Response<Incoming>,
    framing: BodyFraming,
    options: &HttpOptions,
) -> Result<Option<u64>, FetchError> {
    let announced = match framing {
        BodyFraming::Length(length) => Some(length),
        BodyFraming::Chunked | BodyFraming::Unannounced => response.body().size_hint().exact(),
    };
    match announced {
        Some(length) if length > options.max_body_bytes => Err(FetchError::TooLarge(options.max_body_bytes)),
        announced => Ok(announced),
    }
}

/// Receives the whole body of a response, up to the end that its headers specify.
///
/// hyper reads a body with a transfer coding other than `chunked` up to the end of the connection. If that coding is `identity` and a
/// length is declared, the body ends after that length, as in browsers.
///
/// Once [`CHECKED_BYTES`] have arrived, `types` checks them before more is received. A shorter body is not checked here.
pub(crate) async fn receive(
    response: Response<Incoming>,
    framing: BodyFraming,
    announced: Option<u64>,
    options: &HttpOptions,
    types: &TypeDecision,
    delivery: &mut Delivery,
) -> Result<(), FetchError> {
    let (head, mut body) = response.into_parts();
    let mut rate = MinRate::new(options);
    let mut received = 0;
    let mut start = Vec::new();
    loop {
        let chunk = {
            let mut next = pin!(next_chunk(&mut body, received, announced, &mut rate, options));
            loop {
                tokio::select! {
                    biased;
                    chunk = &mut next => break chunk?,
                    () = delivery.due() => delivery.go_on()?,
                }
            }
        };
        let Some(chunk) = chunk else { break };
        received += chunk.len() as u64;
        if start.len() < CHECKED_BYTES {
            start.extend_from_slice(&chunk[..chunk.len().min(CHECKED_BYTES - start.len())]);
            if start.len() == CHECKED_BYTES {
                types.check_start(&start)?;
            }
        }
        if received > options.max_body_bytes {
            return Err(FetchError::TooLarge(options.max_body_bytes));
        }
        delivery.append(chunk).await?;
        if let Some(progress) = &options.progress {
            progress(received, announced);
        }
        if announced.is_some_and(|length| received >= length) && !body.is_end_stream() && head.version != Version::HTTP_2 {
            break;
        }
    }
    // This makes the client close the connection, which counts the remaining bytes that have arrived.
    drop(body);
    // A body with neither a length nor chunked coding extends to the end of the connection, so nothing can follow it.
    let is_delimited = announced.is_some() || framing == BodyFraming::Chunked;
    if let Some(counter) = head.extensions.get::<ByteCounter>().filter(|_| is_delimited && head.version != Version::HTTP_2) {
        check_surplus(counter, announced, options).await?;
    }
    match announced {
        _ if received == 0 => Err(FetchError::EmptyBody),
        Some(length) if length != received => Err(wrong_length(length, received)),
        _ => Ok(()),
    }
}

async fn next_chunk(
    body: &mut Incoming,
    received: u64,
    announced: Option<u64>,
    rate: &mut MinRate,
    options: &HttpOptions,
) -> Result<Option<Bytes>, FetchError> {
    let pause_started = Instant::now();
    loop {
        let wait_started = Instant::now();
        let pause_left = options.pause_timeout.saturating_sub(pause_started.elapsed());
        let next = timeout(pause_left.min(rate.remaining()), body.frame()).await;
        let waited = wait_started.elapsed();
        match next {
            Ok(Some(Ok(frame))) => {
                // Trailers are frames as well; they are ignored.
                let chunk = frame.into_data().ok();
                rate.record(waited, chunk.as_ref().map_or(0, Bytes::len))?;
                if chunk.is_some() {
                    return Ok(chunk);
                }
            }
            Ok(Some(Err(error))) => return Err(body_failed(&error, received, announced)),
            Ok(None) => return Ok(None),
            Err(_) if pause_started.elapsed() >= options.pause_timeout => {
                let pause = options.pause_timeout;
                return Err(FetchError::TimedOut(format!("no body data arrived for {pause:?} after {received} bytes")));
            }
            Err(_) => rate.record(waited, 0)?,
        }
    }
}

/// Why a body ended early.
fn body_failed(error: &hyper::Error, received: u64, announced: Option<u64>) -> FetchError {
    let cause = root_cause(error);
    let io = find_cause::<io::Error>(error).map(io::Error::kind);
    let local_h2_error = find_cause::<h2::Error>(error).filter(|error| !error.is_io() && !error.is_remote());
    match (announced, local_h2_error.and_then(h2::Error::reason)) {
        // The only protocol error that this side detects within a body is a wrong length, whether too short or too long.
        (Some(length), Some(h2::Reason::PROTOCOL_ERROR)) => {
            FetchError::BrokenAnswer(format!("{length} bytes were declared, but the body is shorter or longer"))
        }
        _ if matches!(io, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) => {
            FetchError::BrokenAnswer(format!("after {received} bytes of the body: {cause}"))
        }
        _ => FetchError::ShortBody(format!("it ended early after {received} bytes: {cause}")),
    }
}

/// Checks that nothing follows the body of an HTTP/1 response. This covers all bytes that have arrived by now; later ones are never read.
async fn check_surplus(counter: &ByteCounter, announced: Option<u64>, options: &HttpOptions) -> Result<(), FetchError> {
    let drained = timeout(options.pause_timeout, counter.drained()).await;
    if counter.surplus(announced) == 0 {
        drained.map_err(|_| FetchError::TimedOut("the connection did not become idle after the body".into()))?;
        counter.body_received();
        return Ok(());
    }
    Err(FetchError::OverlongBody(match announced {
        Some(length) => format!("{length} bytes were declared, but more arrived"),
        None => "more data arrived after the last chunk".into(),
    }))
}

fn wrong_length(announced: u64, received: u64) -> FetchError {
    let text = format!("{announced} bytes were declared, but {received} arrived");
    if received < announced { FetchError::ShortBody(text) } else { FetchError::OverlongBody(text) }
}
