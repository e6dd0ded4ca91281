//! Counts the bytes that arrive over a connection, to detect bytes after the end of a body.
//!
//! An HTTP client returns a body of the declared length and ignores bytes after it. But an origin that sends more than it declares has made
//! a mistake somewhere, and the extra bytes must never become the response to another request. Every HTTP/1 response is therefore read
//! through its own [`CountedStream`], whose [`ByteCounter`] travels with the response. The connection serves another request only if the
//! counter has found exactly one whole response. Extra bytes that arrive just after the next request was sent cannot be detected; this is
//! the remaining risk of reusing a connection.
//!
//! In HTTP/2, every frame states its stream and length, so there can be no extra bytes, and nothing is counted.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::framing::{ChunkedBody, ResponseHead};
use crate::framing_rules::BodyFraming;
use crate::origin_connections::OriginConnection;
use crate::origin_stream::{OriginStream, is_http2};

/// The head of a response, including interim responses (1xx), exceeds the limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its headers are longer than {0} bytes")]
pub(crate) struct HeadTooLarge(pub usize);

/// Counts the bytes that arrive over one HTTP/1 connection.
#[derive(Clone, Default)]
pub(crate) struct ByteCounter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    reuse: Mutex<Reuse>,
    drained: Notify,
    unused: Notify,
}

/// Whether the connection can serve another request. This is decided once all fields are known.
#[derive(Default)]
struct Reuse {
    /// How the body of the response ends, if its head permits another request.
    permitted_after: Option<BodyFraming>,
    /// How long the origin keeps an idle connection, if it states that.
    kept_for: Option<Duration>,
    /// Whether all of the body was received.
    has_body: bool,
    /// The connection, from the moment when the client no longer needs it until it is released.
    connection: Option<OriginConnection>,
    /// Whether the client no longer needs the connection.
    is_unused: bool,
}

#[derive(Default)]
struct Counts {
    /// Finds the end of the head.
    head: ResponseHead,
    /// Bytes in the head, including interim responses.
    in_head: u64,
    /// Bytes after the head.
    after_head: u64,
    /// Finds the end of the body if the body is chunked.
    chunked_body: ChunkedBody,
    /// Whether the last read found no more bytes.
    is_drained: bool,
    /// Whether the origin has closed the connection, or the connection has failed.
    is_closed: bool,
}

impl Counts {
    /// Whether the bytes that have arrived are a head, a body with this framing, and nothing else.
    fn is_one_response(&self, framing: BodyFraming) -> bool {
        let end = match framing {
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked => self.chunked_body.end(),
            BodyFraming::Unannounced => None,
        };
        !self.is_closed && self.head.is_complete() && end == Some(self.after_head)
    }
}

impl ByteCounter {
    /// How many bytes have been counted after the end of the body. `announced` is the declared length; without one, the body is chunked.
    pub(crate) fn surplus(&self, announced: Option<u64>) -> u64 {
        let counts = self.counts();
        let end = announced.or_else(|| counts.chunked_body.end());
        end.map_or(0, |end| counts.after_head.saturating_sub(end))
    }

    /// Waits until every byte that the system has received on this connection is counted, or the connection is closed.
    pub(crate) async fn drained(&self) {
        loop {
            let drained = self.0.drained.notified();
            if self.is_drained() {
                return;
            }
            drained.await;
        }
    }

    /// Permits another request over the connection after the body of this response, which has this framing. `kept_for` is how long the
    /// origin keeps an idle connection, if it states that.
    pub(crate) fn permit_reuse(&self, framing: BodyFraming, kept_for: Option<Duration>) {
        let mut reuse = self.reuse();
        (reuse.permitted_after, reuse.kept_for) = (Some(framing), kept_for);
    }

    /// Records that the whole body was received.
    pub(crate) fn body_received(&self) {
        let mut reuse = self.reuse();
        reuse.has_body = true;
        self.release(&mut reuse);
    }

    pub(crate) fn permits_reuse(&self) -> bool {
        self.reuse().permitted_after.is_some()
    }

    /// Takes over a connection that the client no longer needs. It is closed when the last handle to this counter is dropped, unless it is
    /// released before.
    fn unused(&self, connection: OriginConnection) {
        let mut reuse = self.reuse();
        reuse.connection = Some(connection);
        reuse.is_unused = true;
        self.release(&mut reuse);
        self.0.unused.notify_waiters();
    }

    /// Waits until the client no longer needs the connection. If the connection can serve another request, it is available from then on.
    pub(crate) async fn until_unused(&self) {
        loop {
            let unused = self.0.unused.notified();
            if self.reuse().is_unused {
                return;
            }
            unused.await;
        }
    }

    fn release(&self, reuse: &mut Reuse) {
        let is_whole = reuse.has_body && reuse.permitted_after.is_some_and(|framing| self.counts().is_one_response(framing));
        if let Some(connection) = reuse.connection.take_if(|_| is_whole) {
            connection.release(reuse.kept_for);
        }
    }

    fn reuse(&self) -> MutexGuard<'_, Reuse> {
        self.0.reuse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_drained(&self) -> bool {
        self.counts().is_drained
    }

    fn set_closed(&self) {
        self.counts().is_closed = true;
    }

    fn set_drained(&self) {
        self.counts().is_drained = true;
        self.0.drained.notify_waiters();
    }

    fn count(&self, bytes: &[u8], max_head_bytes: usize) -> Result<(), HeadTooLarge> {
        let mut counts = self.counts();
        counts.is_drained = false;
        let in_head = counts.head.read(bytes);
        counts.in_head += in_head as u64;
        if counts.in_head > max_head_bytes as u64 {
            return Err(HeadTooLarge(max_head_bytes));
        }
        let rest = &bytes[in_head..];
        counts.after_head += rest.len() as u64;
        counts.chunked_body.read(rest);
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of a connection while it serves one request. If it has a counter, its bytes are counted.
pub(crate) struct CountedStream {
    /// Present until the stream is dropped.
    connection: Option<OriginConnection>,
    counter: Option<ByteCounter>,
    max_head_bytes: usize,
}

impl CountedStream {
    /// Counts the bytes of an HTTP/1 stream and limits the head of its response; passes an HTTP/2 stream through.
    pub(crate) fn new(connection: OriginConnection, max_head_bytes: usize) -> Self {
        let counter = (!is_http2(connection.stream())).then(ByteCounter::default);
        Self { connection: Some(connection), counter, max_head_bytes }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut OriginStream>> {
        let connection = self.connection.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(connection.stream_mut()))
    }

    /// Records an error. The connection is not reused after one.
    fn noted<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let (Some(counter), Poll::Ready(Err(_))) = (&self.counter, &polled) {
            counter.set_closed();
        }
        polled
    }
}

impl Connection for CountedStream {
    fn connected(&self) -> Connected {
        let connection = self.connection.as_ref();
        let connected = connection.map_or_else(Connected::new, |connection| connection.stream().inner().connected());
        match &self.counter {
            Some(counter) => {
                // Prevents the client from reusing the connection, since the client does not check what it has read.
                connected.poison();
                connected.extra(counter.clone())
            }
            None => connected,
        }
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let polled = self.stream()?.poll_read(cx, buffer);
        let Some(counter) = &self.counter else { return polled };
        match &buffer.filled()[filled..] {
            // There are no bytes yet, or the stream has ended.
            [] => {
                if polled.is_ready() {
                    counter.set_closed();
                }
                counter.set_drained();
                polled
            }
            bytes => match counter.count(bytes, self.max_head_bytes) {
                Ok(()) => polled,
                Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error))),
            },
        }
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.stream()?.poll_write(cx, bytes);
        self.noted(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.stream()?.poll_flush(cx);
        self.noted(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client will not read again, but a byte that has already arrived must be counted.
        if self.counter.as_ref().is_some_and(|counter| !counter.is_drained()) {
            let mut byte = [0];
            // An error does not matter at this point.
            let _ = self.as_mut().poll_read(cx, &mut ReadBuf::new(&mut byte));
        }
        if let Some(counter) = &self.counter {
            counter.set_drained();
            // Another request may follow; that is decided later. If none does, the connection is shut down when it is dropped.
            return Poll::Ready(Ok(()));
        }
        self.stream()?.poll_shutdown(cx)
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        if let (Some(counter), Some(connection)) = (&self.counter, self.connection.take()) {
            counter.set_drained();
            counter.unused(connection);
        }
    }
}
