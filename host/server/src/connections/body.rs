//! The bodies of requests and responses.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use crate::connections::exchange::{Exchange, Exchanges};
use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::MinRate;
use crate::connections::timer::Timer;

/// The body of a request, which fails if the client sends it too slowly.
pub(crate) struct RequestBody {
    body: Incoming,
    min_rate: MinRate,
    slow: SlowBody,
    timer: Timer,
    exchanges: Exchanges,
    complete: Arc<AtomicBool>,
}

/// Whether the whole body has arrived.
pub(crate) struct Completion(Arc<AtomicBool>);

/// The client is sending its body too slowly.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body arrives too slowly: fewer than {min_rate} bytes per second over {} s", patience.as_secs())]
struct SlowBody {
    min_rate: u64,
    patience: Duration,
}

/// The reason for an error of a body, if the client sent the body too slowly. `None` for other errors.
pub(crate) fn slow_body_reason(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<SlowBody>() {
        Some(slow) => Some(slow.to_string()),
        None => slow_body_reason(error.source()?),
    }
}

impl RequestBody {
    pub fn new(body: Incoming, limits: &ClientLimits, exchanges: Exchanges) -> (Self, Completion) {
        let complete = Arc::new(AtomicBool::new(body.is_end_stream()));
        let slow = SlowBody { min_rate: limits.min_rate, patience: limits.patience };
        let completion = Completion(complete.clone());
        (Self { body, min_rate: MinRate::new(limits), slow, timer: Timer::default(), exchanges, complete }, completion)
    }
}

impl Completion {
    pub fn is_complete(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, min_rate, slow, timer, exchanges, complete } = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            min_rate.transferred(bytes as u64, Instant::now());
            if frame.is_none() || body.is_end_stream() {
                complete.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(min_rate.poll_too_slow(timer, cx));
        exchanges.note_slow_body();
        Poll::Ready(Some(Err((*slow).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response. The exchange ends when the whole body has been passed on.
pub(crate) struct ResponseBody {
    body: Body,
    _exchange: Exchange,
}

impl ResponseBody {
    pub fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
