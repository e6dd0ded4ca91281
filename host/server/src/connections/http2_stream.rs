//! The connection below HTTP/2.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connections::client_stream::ClientStream;
use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::TooSlow;
use crate::connections::streams::Streams;
use crate::connections::timer::Timer;
use crate::connections::write_guard::WriteGuard;

/// A connection that fails if the client reads too slowly.
pub(crate) struct Http2Stream<S> {
    /// hyper does not return the stream of a connection that has ended, so it is shared.
    stream: Arc<Mutex<S>>,
    writes: WriteGuard,
    timer: Timer,
    streams: Streams,
}

impl<S: ClientStream> Http2Stream<S> {
    pub fn new(stream: Arc<Mutex<S>>, limits: &ClientLimits, streams: Streams) -> Self {
        Self { stream, writes: WriteGuard::new(limits), timer: Timer::default(), streams }
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let noted = self.writes.written(&written, &mut self.timer, cx);
        self.streams.set_blocked(self.writes.is_waiting());
        noted.map_or_else(|TooSlow| Poll::Ready(Err(self.too_slow())), |()| written)
    }

    fn flushed(&mut self, cx: &mut Context<'_>, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        let noted = self.writes.flushed(&flushed, &mut self.timer, cx);
        self.streams.set_blocked(self.writes.is_waiting());
        noted.map_or_else(|TooSlow| Poll::Ready(Err(self.too_slow())), |()| flushed)
    }

    fn too_slow(&self) -> io::Error {
        self.streams.note_too_slow();
        io::ErrorKind::TimedOut.into()
    }
}

impl<S: ClientStream> AsyncRead for Http2Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buffer)
    }
}

impl<S: ClientStream> AsyncWrite for Http2Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.lock()).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.lock()).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut *self.lock()).poll_flush(cx);
        self.flushed(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }
}
