//! The progress of a response on an HTTP/2 stream.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::{MinRate, TooSlow};
use crate::connections::timer::Timer;

/// The progress of a response: whether the client accepts it fast enough.
pub(crate) struct StreamProgress(Mutex<Progress>);

struct Progress {
    min_rate: MinRate,
    /// The length of the last piece, while the client has not accepted it.
    piece: Option<usize>,
}

impl StreamProgress {
    pub fn new(limits: &ClientLimits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Progress { min_rate: MinRate::new(limits), piece: None })))
    }

    /// Ready when the client accepts the response too slowly. Must be polled whenever the stream has to wait.
    pub fn poll_too_slow(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<TooSlow> {
        let Progress { min_rate, piece } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.is_some() { min_rate.poll_too_slow(timer, cx) } else { Poll::Pending }
    }

    /// Notes that the client has accepted the last piece.
    pub fn accepted(&self) {
        let Progress { min_rate, piece } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(piece) = piece.take() {
            min_rate.transferred(piece as u64, Instant::now());
        }
    }

    /// Notes that a piece has been passed on, which the client now has to accept.
    pub fn passed_on(&self, piece: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).piece = Some(piece);
    }
}
