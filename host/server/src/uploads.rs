//! Receives the bodies of PUT requests: a limited number at the same time, each with limits on its size and memory.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use futures::StreamExt;
use media_cache::{Blob, Spool, SpoolError, SpooledBody};
use media_cache_http_downloader::{BodySender, FramingError};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::connections::body::slow_body_reason;
use crate::problem::Problem;

/// The maximum number of bodies that are received at the same time. Each may use [`SPOOL_ABOVE`] bytes of memory, so this bounds the
/// total.
const MAX_UPLOADS: usize = 64;

/// Bodies with more bytes than this are kept in a temporary file instead of memory.
const SPOOL_ABOVE: u64 = 4 << 20;

/// The bodies that a service is receiving.
pub(crate) struct Uploads {
    permits: Semaphore,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { permits: Semaphore::new(MAX_UPLOADS) }
    }
}

impl Uploads {
    /// Receives the body of a request, of at most `limit` bytes. A large body is written to `spool`.
    pub async fn receive(&self, spool: &Arc<Spool>, body: Body, headers: &HeaderMap, limit: u64) -> Result<Blob, Problem> {
        let too_large = || {
            let why = format!("the body is larger than the limit of {limit} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", why)
        };
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let _permit = self.permit()?;
        let mut spooled = SpooledBody::new(SPOOL_ABOVE, spool.clone(), announced);
        let mut chunks = body.into_data_stream();
        let mut received = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(incomplete)?;
            received += chunk.len() as u64;
            if received > limit {
                return Err(too_large());
            }
            spooled.append(chunk).await.map_err(not_received)?;
        }
        spooled.finish().await.map_err(not_received)
    }

    fn permit(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.permits.try_acquire().map_err(|_| {
            let why = "too many uploads are in progress";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-uploads", why).with_retry_after(1)
        })
    }
}

/// The bytes of a received body.
pub(crate) async fn read_all(body: &Blob) -> Result<Bytes, Problem> {
    let broke_off = |error| Problem::new(StatusCode::BAD_REQUEST, "short-body", format!("the body ended early: {error}"));
    body.bytes().await.map_err(broke_off)
}

/// Refuses a body that is partial or encoded, because it would be stored as if it were the media itself.
pub(crate) fn check_unmodified(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_RANGE) {
        let why = "a partial body cannot be stored; send the whole body, without Content-Range";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "partial-body", why));
    }
    check_framing(headers)
}

/// Refuses a body that is encoded, or whose end is ambiguous.
pub(crate) fn check_framing(headers: &HeaderMap) -> Result<(), Problem> {
    media_cache_http_downloader::check_framing(headers, BodySender::Uploader).map(|_| ()).map_err(|error| {
        let (status, code) = match error {
            FramingError::TransferCoding(_) => (StatusCode::NOT_IMPLEMENTED, "unsupported-transfer-coding"),
            FramingError::ContentCoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded-body"),
            FramingError::MisplacedChunked | FramingError::LengthAndChunked | FramingError::Length(_) => {
                (StatusCode::BAD_REQUEST, "bad-request")
            }
        };
        Problem::new(status, code, format!("the body cannot be stored: {error}"))
    })
}

fn incomplete(error: axum::Error) -> Problem {
    match slow_body_reason(&error) {
        Some(why) => Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", why),
        None => Problem::new(StatusCode::BAD_REQUEST, "short-body", format!("the body ended early: {error}")),
    }
}

fn not_received(error: SpoolError) -> Problem {
    match error {
        SpoolError::Full(_) => {
            let why = format!("the body cannot be received at the moment: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", why).with_retry_after(1)
        }
        SpoolError::Io { .. } => Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk-failed", error.to_string()),
    }
}

/// The problem for a body that cannot be read from its temporary file.
pub(crate) fn not_kept(error: io::Error) -> Problem {
    let why = format!("the body cannot be read from its temporary file: {error}");
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk-failed", why)
}
