//! Bodies on their way in and out.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::ClientLimits;
use super::alarm::Alarm;
use super::pace::Pace;
use super::turn::{Turn, Turns};

/// The body of a request, as long as the client sends it quickly enough.
pub(super) struct Received {
    body: Incoming,
    pace: Pace,
    limits: (u64, Duration),
    alarm: Alarm,
    turns: Turns,
    whole: Arc<AtomicBool>,
}

/// Whether all of a body has come in.
pub(super) struct Whole(Arc<AtomicBool>);

/// The client sends its body too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly: fewer than {min_rate} bytes a second over {} s", patience.as_secs())]
struct SlowBody {
    min_rate: u64,
    patience: Duration,
}

/// What to tell a client whose body broke off, where that was because of its slowness.
pub fn came_too_slowly(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<SlowBody>() {
        Some(slow) => Some(slow.to_string()),
        None => came_too_slowly(error.source()?),
    }
}

impl Received {
    pub fn new(body: Incoming, limits: &ClientLimits, turns: Turns) -> (Self, Whole) {
        let whole = Arc::new(AtomicBool::new(body.is_end_stream()));
        let (pace, limits) = (Pace::new(limits), (limits.min_rate, limits.patience));
        (Self { body, pace, limits, alarm: Alarm::default(), turns, whole: whole.clone() }, Whole(whole))
    }
}

impl Whole {
    pub fn is_here(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, pace, limits, alarm, turns, whole } = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            pace.moved(bytes as u64, Instant::now());
            if frame.is_none() || body.is_end_stream() {
                whole.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        loop {
            let Ok(time) = pace.wait(Instant::now()) else {
                turns.note_slow_body();
                let (min_rate, patience) = *limits;
                return Poll::Ready(Some(Err(SlowBody { min_rate, patience }.into())));
            };
            if alarm.poll_at(time, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. It is our turn until it has been taken over.
pub(super) struct Answer {
    body: Body,
    _turn: Turn,
}

impl Answer {
    pub fn new(body: Body, turn: Turn) -> Self {
        Self { body, _turn: turn }
    }
}

impl hyper::body::Body for Answer {
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
