//! Counts the bytes that arrive over a connection, so that bytes after the end of a body are noticed.
//!
//! An HTTP client returns the body that an origin announced and ignores bytes after it. But an origin that sends more than it
//! announces is wrong about one of the two, and the surplus must never become the response to another request. Therefore every HTTP/1
//! connection serves one request and is read through a [`CountedStream`], whose [`ByteCounter`] travels with the response. The
//! counter cannot make connections reusable: a surplus may still arrive when the next request has just been sent.
//!
//! In HTTP/2 every frame states its stream and length. There can be no surplus, and nothing is counted.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::framing::{ChunkedBody, ResponseHead};

/// The head of a response, interim responses (1xx) included, exceeds the limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its headers are longer than {0} bytes")]
pub(crate) struct HeadTooLarge(pub usize);

/// Counts the bytes that arrive over one HTTP/1 connection.
#[derive(Clone, Default)]
pub(crate) struct ByteCounter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    drained: Notify,
}

#[derive(Default)]
struct Counts {
    /// Finds the end of the head.
    head: ResponseHead,
    /// Bytes in the head, interim responses included.
    in_head: u64,
    /// Bytes after the head.
    after_head: u64,
    /// Finds the end of the body if that is chunked.
    chunked_body: ChunkedBody,
    /// Whether the last read found no more bytes.
    is_drained: bool,
}

impl ByteCounter {
    /// How many bytes have been counted after the end of the body. `announced` is its length; without one, it is chunked.
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

    fn is_drained(&self) -> bool {
        self.counts().is_drained
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

/// A stream whose bytes are counted, if it has a counter.
pub(crate) struct CountedStream<S> {
    stream: S,
    counter: Option<ByteCounter>,
    max_head_bytes: usize,
}

impl<S: Connection> CountedStream<S> {
    /// Counts the bytes of an HTTP/1 stream and limits the head of its response; passes an HTTP/2 stream through.
    pub(crate) fn new(stream: S, max_head_bytes: usize) -> Self {
        let counter = (!stream.connected().is_negotiated_h2()).then(ByteCounter::default);
        Self { stream, counter, max_head_bytes }
    }
}

impl<S: Connection> Connection for CountedStream<S> {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        match &self.counter {
            Some(counter) => {
                // Excludes the connection from reuse.
                connected.poison();
                connected.extra(counter.clone())
            }
            None => connected,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(counter) = &self.counter else { return polled };
        match &buffer.filled()[filled..] {
            // There are no bytes yet, or the stream has ended.
            [] => {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client will not read again. A byte that has arrived nevertheless has to be counted.
        if self.counter.as_ref().is_some_and(|counter| !counter.is_drained()) {
            let mut byte = [0];
            // An error does not matter at this point.
            let _ = self.as_mut().poll_read(cx, &mut ReadBuf::new(&mut byte));
        }
        if let Some(counter) = &self.counter {
            counter.set_drained();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Drop for CountedStream<S> {
    fn drop(&mut self) {
        if let Some(counter) = &self.counter {
            counter.set_drained();
        }
    }
}
