//! A connection that times out if the client is too slow, and that ends before a request that hyper would misinterpret.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use media_cache_requests::{HeadScanner, RefusedHead};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::connections::counters::Ending;
use crate::connections::exchange::Exchanges;
use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::TooSlow;
use crate::connections::timer::Timer;
use crate::connections::write_guard::WriteGuard;

/// A connection, encrypted or not, and its timeouts. At most one runs at a time: one while response bytes wait for the client to read them,
/// the other while a request is awaited. Neither runs while a request is being handled, however long that takes. The body of a request has a
/// separate timeout, because only the reader of the body knows when it needs more bytes.
pub(crate) struct GuardedStream<S = TcpStream> {
    stream: S,
    limits: Arc<ClientLimits>,
    exchanges: Exchanges,
    timer: Timer,
    writes: WriteGuard,
    awaited: Option<AwaitedRequest>,
    /// Whether the client has closed its side.
    pub at_end: bool,
    /// Which timeout expired, if any.
    pub timed_out: Option<Ending>,
    /// Whether a response could not be sent.
    pub is_broken: bool,
    scanner: HeadScanner,
    /// A request that is not passed on. Earlier requests are still answered.
    pub refused: Option<RefusedHead>,
}

/// An awaited request.
struct AwaitedRequest {
    /// The index of the request; see [`Exchanges::awaited`].
    number: u64,
    deadline: Instant,
    /// Whether part of the request has arrived.
    begun: bool,
}

impl<S> GuardedStream<S> {
    pub fn new(stream: S, limits: Arc<ClientLimits>, exchanges: Exchanges) -> Self {
        let writes = WriteGuard::new(&limits);
        Self {
            stream,
            limits,
            exchanges,
            timer: Timer::default(),
            writes,
            awaited: None,
            at_end: false,
            timed_out: None,
            is_broken: false,
            scanner: HeadScanner::default(),
            refused: None,
        }
    }

    /// Whether part of the awaited request has arrived.
    pub fn has_partial_request(&self) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.begun)
    }

    /// The connection.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The currently awaited request, if there is one.
    fn awaited(&mut self) -> Option<&mut AwaitedRequest> {
        let number = self.exchanges.awaited()?;
        if self.awaited.as_ref().is_none_or(|awaited| awaited.number != number) {
            let time = if number == 0 { self.limits.header_timeout } else { self.limits.idle_timeout };
            self.awaited = Some(AwaitedRequest { number, deadline: Instant::now() + time, begun: false });
        }
        self.awaited.as_mut()
    }

    /// Notes that bytes were received.
    fn received(&mut self) {
        let time = self.limits.header_timeout;
        if let Some(awaited) = self.awaited().filter(|awaited| !awaited.begun) {
            awaited.begun = true;
            if awaited.number > 0 {
                awaited.deadline = Instant::now() + time;
            }
        }
    }

    /// Checks the deadline of the awaited request when nothing can be received. Fails if the deadline has passed; otherwise the task is
    /// woken when it passes.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.writes.is_waiting() {
            // The client has to read the previous response first.
            self.awaited = None;
            return Ok(());
        }
        let Some(&mut AwaitedRequest { number, deadline, begun }) = self.awaited() else { return Ok(()) };
        if self.timer.poll_at(deadline, cx).is_pending() {
            return Ok(());
        }
        let ending = if begun || number == 0 { Ending::SlowHeader } else { Ending::Idle };
        Err(self.time_out(ending))
    }

    fn time_out(&mut self, ending: Ending) -> io::Error {
        self.timed_out = Some(ending);
        io::ErrorKind::TimedOut.into()
    }

    /// Fails if the next request to be answered is a refused one.
    fn check_refused(&self) -> io::Result<()> {
        match &self.refused {
            Some(refused) if !self.writes.is_waiting() && self.exchanges.awaited() == Some(refused.number) => {
                Err(io::ErrorKind::InvalidData.into())
            }
            _ => Ok(()),
        }
    }

    /// Handles the outcome of a write. While the client reads nothing, fails as soon as the client is too slow.
    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_broken |= matches!(written, Poll::Ready(Err(_)));
        match self.writes.written(&written, &mut self.timer, cx) {
            Ok(()) => written,
            Err(TooSlow) => Poll::Ready(Err(self.time_out(Ending::SlowReader))),
        }
    }

    /// Handles the outcome of a flush in the same way.
    fn flushed(&mut self, cx: &mut Context<'_>, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        self.is_broken |= matches!(flushed, Poll::Ready(Err(_)));
        match self.writes.flushed(&flushed, &mut self.timer, cx) {
            Ok(()) => flushed,
            Err(TooSlow) => Poll::Ready(Err(self.time_out(Ending::SlowReader))),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.refused.is_none() {
            match Pin::new(&mut self.stream).poll_read(cx, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() == before => {
                    self.at_end = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => self.received(),
                Poll::Ready(error) => return Poll::Ready(error),
                Poll::Pending => {
                    if self.exchanges.awaited().is_none() {
                        self.exchanges.wake_at_end(cx);
                    }
                    self.poll_deadline(cx)?;
                    return Poll::Pending;
                }
            }
            let Err(refused) = self.scanner.read(&buffer.filled()[before..]) else { return Poll::Ready(Ok(())) };
            buffer.set_filled(before + refused.before);
            self.refused = Some(refused);
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
        // While earlier requests are being answered, nothing is read. The flush after the last response ends the connection.
        self.check_refused()?;
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        ready!(self.flushed(cx, flushed))?;
        // The response may be complete now. The next request is awaited from here on, and only its deadline would wake the task.
        Poll::Ready(self.check_refused().and_then(|()| self.poll_deadline(cx)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
