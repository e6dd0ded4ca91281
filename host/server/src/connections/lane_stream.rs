//! A connection below hyper, on which hits are answered in place.
//!
//! hyper gets only the remaining requests, one at a time, each after the response to the previous one has been flushed. A request with a
//! body or a long head, or anything that is not a request, hands the connection over to hyper permanently.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connections::exchange::Exchanges;
use crate::connections::guarded_stream::GuardedStream;
use crate::connections::in_place::{MAX_HEADERS, Received, RespondInPlace, parse};
use crate::connections::sending::Sending;

/// A connection on which requests can be answered in place.
pub(crate) struct LaneStream {
    stream: GuardedStream,
    /// `None` if hyper handles the connection alone.
    lane: Option<Lane>,
}

impl LaneStream {
    pub fn new(
        stream: GuardedStream,
        responder: Option<Arc<dyn RespondInPlace>>,
        exchanges: Exchanges,
        max_header_bytes: usize,
    ) -> Self {
        let lane = responder.map(|responder| Lane {
            responder,
            exchanges,
            max_header_bytes: max_header_bytes.min(LONGEST),
            received: Vec::new(),
            is_partial: false,
            for_hyper: 0,
            with_hyper: With::Lane,
            sending: None,
        });
        Self { stream, lane }
    }
}

impl From<LaneStream> for GuardedStream {
    fn from(LaneStream { stream, .. }: LaneStream) -> Self {
        stream
    }
}

/// The maximum length of a head that is read here, and of the buffer that is kept for further bytes, in bytes. With a longer head, the
/// connection is handed over to hyper, because the head should not be buffered twice.
const LONGEST: usize = 8 << 10;

/// Whether the lane or hyper handles the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    /// The lane awaits requests.
    Lane,
    /// hyper handles a request, until the response is flushed.
    Hyper,
    /// hyper gets everything that is received from now on.
    HyperForGood,
}

struct Lane {
    responder: Arc<dyn RespondInPlace>,
    exchanges: Exchanges,
    max_header_bytes: usize,
    /// Received bytes that have been neither answered nor passed on.
    received: Vec<u8>,
    /// Whether the received bytes are an incomplete head.
    is_partial: bool,
    /// How many of the received bytes are to be passed to hyper.
    for_hyper: usize,
    with_hyper: With,
    sending: Option<Sending>,
}

impl Lane {
    fn poll_read(&mut self, stream: &mut GuardedStream, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.for_hyper > 0 {
                let count = self.for_hyper.min(buffer.remaining());
                buffer.put_slice(&self.received[..count]);
                self.received.drain(..count);
                self.for_hyper -= count;
                return Poll::Ready(Ok(()));
            }
            if let Some(sending) = &mut self.sending {
                ready!(sending.poll(stream, cx))?;
                self.sending = None;
            }
            if self.with_hyper == With::Hyper {
                return self.poll_end(stream, cx, buffer);
            }
            if self.exchanges.is_stopping() && self.exchanges.awaited() != Some(0) {
                return Poll::Ready(Ok(()));
            }
            if self.received.is_empty() || self.is_partial {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut *stream).poll_read(cx, buffer))?;
                let fresh = &buffer.filled()[before..];
                if fresh.is_empty() {
                    // Let hyper detect the end of the connection.
                    self.leave(self.received.len());
                    if self.for_hyper == 0 {
                        return Poll::Ready(Ok(()));
                    }
                } else if self.received.is_empty() {
                    let used = self.serve(fresh, stream, cx)?;
                    self.received.extend_from_slice(&fresh[used..]);
                } else {
                    let old = self.received.len();
                    self.received.extend_from_slice(fresh);
                    if may_end(&self.received, old) || self.received.len() >= self.max_header_bytes {
                        self.serve_received(stream, cx)?;
                    }
                }
                buffer.set_filled(before);
            } else {
                self.serve_received(stream, cx)?;
            }
        }
    }

    fn serve_received(&mut self, stream: &mut GuardedStream, cx: &mut Context<'_>) -> io::Result<()> {
        let mut received = std::mem::take(&mut self.received);
        let used = self.serve(&received, stream, cx)?;
        received.drain(..used);
        if !received.is_empty() || received.capacity() <= LONGEST {
            self.received = received;
        }
        Ok(())
    }

    /// Waits for the end of the connection, the only event that matters to hyper while it handles a request.
    fn poll_end(&mut self, stream: &mut GuardedStream, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.received.is_empty() {
            self.exchanges.wake_at_end(cx);
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buffer))?;
        let fresh = &buffer.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.received.extend_from_slice(fresh);
        buffer.set_filled(before);
        Poll::Pending
    }

    /// Answers as many requests as possible. Returns their total length in bytes.
    fn serve(&mut self, received: &[u8], stream: &mut GuardedStream, cx: &mut Context<'_>) -> io::Result<usize> {
        let mut used = 0;
        self.set_partial(false);
        while used < received.len() && self.sending.is_none() {
            let rest = &received[used..];
            let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
            match parse(rest, &mut headers, self.max_header_bytes) {
                Received::Partial => {
                    self.set_partial(true);
                    break;
                }
                Received::Request(head, length) => {
                    let Some(response) = self.responder.respond(&head) else {
                        self.pass(length);
                        break;
                    };
                    used += length;
                    let mut sending = Sending::new(response, self.exchanges.begin_in_place());
                    if sending.poll(stream, cx)?.is_pending() {
                        self.sending = Some(sending);
                    }
                }
                Received::Other(length) => {
                    self.pass(length);
                    break;
                }
                Received::Rest => {
                    self.leave(rest.len());
                    break;
                }
            }
        }
        Ok(used)
    }

    fn set_partial(&mut self, is_partial: bool) {
        if self.is_partial != is_partial {
            self.is_partial = is_partial;
            self.exchanges.set_partial(is_partial);
        }
    }

    /// Passes a request to hyper.
    fn pass(&mut self, length: usize) {
        (self.for_hyper, self.with_hyper) = (length, With::Hyper);
    }

    /// Hands the connection over to hyper, with `length` received bytes.
    fn leave(&mut self, length: usize) {
        (self.for_hyper, self.with_hyper) = (length, With::HyperForGood);
    }

    /// Whether the lane has handed the connection over to hyper and has nothing left to do.
    fn has_left(&self) -> bool {
        self.with_hyper == With::HyperForGood && self.for_hyper == 0
    }

    /// Notes that hyper has flushed all its output.
    fn flushed(&mut self, cx: &Context<'_>) {
        if self.with_hyper == With::Hyper && self.for_hyper == 0 && self.exchanges.awaited().is_some() {
            self.with_hyper = With::Lane;
            if !self.received.is_empty() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

/// Whether an empty line, which may end a head, is completed by the bytes after the first `old`.
fn may_end(received: &[u8], old: usize) -> bool {
    let recent = &received[old.saturating_sub(2)..];
    recent.windows(2).any(|two| two == b"\n\n") || recent.windows(3).any(|three| three == b"\n\r\n")
}

impl AsyncRead for LaneStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, lane } = &mut *self;
        let Some(active) = lane else { return Pin::new(stream).poll_read(cx, buffer) };
        let read = active.poll_read(stream, cx, buffer);
        if active.has_left() {
            *lane = None;
        }
        read
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, lane } = &mut *self;
        ready!(Pin::new(stream).poll_flush(cx))?;
        if let Some(lane) = lane {
            lane.flushed(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
