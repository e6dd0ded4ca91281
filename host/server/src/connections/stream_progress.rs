//! The progress of a response on an HTTP/2 stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::{MinRate, TooSlow};
use crate::connections::streams::Streams;
use crate::connections::timer::Timer;

/// The progress of a response: whether the client accepts it fast enough.
///
/// The streams of a connection share its rate. The clock of a stream stands still while the socket is blocked, because then all of them wait
/// for the link, which has a minimum rate of its own; otherwise, a stream waits for a window that its client does not open.
pub(crate) struct StreamProgress {
    streams: Streams,
    progress: Mutex<Progress>,
}

struct Progress {
    min_rate: MinRate,
    /// The number of bytes that have been passed on and that the client has not accepted.
    outstanding: usize,
    /// Waits until there are none.
    waker: Option<Waker>,
}

impl StreamProgress {
    pub fn new(streams: Streams, limits: &ClientLimits) -> Arc<Self> {
        let progress = Progress { min_rate: MinRate::new(limits), outstanding: 0, waker: None };
        Arc::new(Self { streams, progress: Mutex::new(progress) })
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when the client accepts the response too slowly. Must be polled whenever the stream has to wait.
    pub fn poll_too_slow(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<TooSlow> {
        let Progress { min_rate, outstanding, .. } = &mut *self.lock();
        if *outstanding == 0 {
            return Poll::Pending;
        }
        loop {
            let (clock, open) = (self.streams.clock(), self.streams.open_count());
            match min_rate.wait(clock.now, open) {
                Ok(time) => ready!(timer.poll_at(time + clock.stopped, cx)),
                Err(too_slow) => return Poll::Ready(too_slow),
            }
        }
    }

    /// Ready when the client has accepted everything that has been passed on, or does so too slowly.
    pub fn poll_accepted(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Result<(), TooSlow>> {
        let mut progress = self.lock();
        if progress.outstanding == 0 {
            return Poll::Ready(Ok(()));
        }
        progress.waker = Some(cx.waker().clone());
        drop(progress);
        self.poll_too_slow(timer, cx).map(Err)
    }

    /// Notes that bytes have been passed on, which the client now has to accept.
    pub fn passed_on(&self, bytes: usize) {
        let mut progress = self.lock();
        progress.outstanding += bytes;
        progress.min_rate.begin_to_wait(self.streams.clock().now);
    }

    /// Notes that the client has accepted some of them, or that they are no longer needed.
    pub fn accepted(&self, bytes: usize) {
        let mut progress = self.lock();
        progress.outstanding -= bytes;
        let now = self.streams.clock().now;
        progress.min_rate.transferred(bytes as u64, now);
        if progress.outstanding > 0 {
            progress.min_rate.begin_to_wait(now);
        } else if let Some(waker) = progress.waker.take() {
            waker.wake();
        }
    }
}
