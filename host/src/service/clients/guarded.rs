//! A socket that gives up on a client that is too slow.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::ClientLimits;
use super::alarm::Alarm;
use super::counters::Ending;
use super::pace::Pace;
use super::turn::Turns;

/// A socket and its clocks, of which at most one runs: either bytes of ours wait for the client to take them, or we wait for the client to
/// ask for something. Nothing runs while a request is being worked on, however long that takes, and a request's body has a clock of its
/// own, which knows when somebody wants more of it.
pub(super) struct Guarded {
    stream: TcpStream,
    limits: Arc<ClientLimits>,
    turns: Turns,
    alarm: Alarm,
    pace: Pace,
    expected: Option<Expected>,
    /// The client has said all that it will ever say.
    pub at_end: bool,
    /// Why we gave up on the client, if we did.
    pub gave_up: Option<Ending>,
}

/// A request that is expected.
struct Expected {
    /// Which one, as [`Turns`] count.
    turn: u64,
    /// Until when.
    by: Instant,
    /// The beginning is here.
    begun: bool,
}

impl Guarded {
    pub fn new(stream: TcpStream, limits: Arc<ClientLimits>, turns: Turns) -> Self {
        let pace = Pace::new(&limits);
        Self { stream, limits, turns, alarm: Alarm::default(), pace, expected: None, at_end: false, gave_up: None }
    }

    /// Whether a part of a request has come in which we waited for in vain.
    pub fn has_half_a_request(&self) -> bool {
        self.expected.as_ref().is_some_and(|expected| expected.begun)
    }

    /// The socket.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// The request that is expected now, if one is.
    fn expected(&mut self) -> Option<&mut Expected> {
        let turn = self.turns.clients()?;
        if self.expected.as_ref().is_none_or(|expected| expected.turn != turn) {
            let time = if turn == 0 { self.limits.header_timeout } else { self.limits.idle_timeout };
            self.expected = Some(Expected { turn, by: Instant::now() + time, begun: false });
        }
        self.expected.as_mut()
    }

    /// Bytes came in.
    fn received(&mut self) {
        let time = self.limits.header_timeout;
        if let Some(expected) = self.expected().filter(|expected| !expected.begun) {
            expected.begun = true;
            if expected.turn > 0 {
                expected.by = Instant::now() + time;
            }
        }
    }

    /// Nothing comes in. Fails when a request has been waited for long enough; otherwise the task is woken when it has.
    fn poll_expected(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.pace.is_waiting() {
            // First the client has to take what it asked for.
            self.expected = None;
            return Ok(());
        }
        let Some(&mut Expected { by, begun, turn }) = self.expected() else { return Ok(()) };
        if self.alarm.poll_at(by, cx).is_pending() {
            return Ok(());
        }
        let ending = if begun || turn == 0 { Ending::SlowHeader } else { Ending::Idle };
        Err(self.give_up(ending))
    }

    /// The client takes nothing at the moment.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let Ok(time) = self.pace.wait(Instant::now()) else {
                return Poll::Ready(Err(self.give_up(Ending::SlowReader)));
            };
            if self.alarm.poll_at(time, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn give_up(&mut self, ending: Ending) -> io::Error {
        self.gave_up = Some(ending);
        io::ErrorKind::TimedOut.into()
    }

    /// What became of a write.
    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.pace.moved(*bytes as u64, Instant::now()),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return self.poll_patience(cx),
        }
        written
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.remaining();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) if buffer.remaining() == before => self.at_end = true,
            Poll::Ready(Ok(())) => self.received(),
            Poll::Ready(error) => return Poll::Ready(error),
            Poll::Pending => {
                self.poll_expected(cx)?;
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
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
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // All of an answer may just have been taken. From now on a request is waited for, and nothing but this clock would wake the task.
        Poll::Ready(self.poll_expected(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
