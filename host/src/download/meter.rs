//! What comes over a connection, counted where it arrives.
//!
//! An HTTP client hands on the body that an origin announced, and is silent about what came behind it. An origin that sends more
//! than it announces is wrong about one of the two, though, and what is left over must never pass for the answer to another
//! request. So every HTTP/1 connection serves one request and is read through a [`Metered`] stream, whose [`Meter`] travels with the
//! response. No check could take the place of the first: what is left over may arrive when the next request has just been sent.
//!
//! In HTTP/2 every frame belongs to a stream and says how long it is; nothing can be left over there, and nothing is metered.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::framing::{Chunks, ResponseHead};

/// The heads of an answer, those of interim answers (1xx) included, are longer than is taken.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its headers are longer than {0} bytes")]
pub(super) struct HeadTooLarge(pub usize);

/// Knows what came over one HTTP/1 connection.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    traffic: Mutex<Traffic>,
    went_quiet: Notify,
}

#[derive(Default)]
struct Traffic {
    /// Reads through the heads of the answer.
    head: ResponseHead,
    /// Bytes of these.
    in_head: u64,
    /// Bytes after the head.
    after_head: u64,
    /// Reads through them as if they were chunks.
    chunks: Chunks,
    /// Whether there was nothing more to read at the last try.
    quiet: bool,
}

impl Meter {
    /// How many bytes came behind the body of the answer, as far as is known by now. `announced` is its length in bytes, and what
    /// has none came in chunks.
    pub(super) fn surplus(&self, announced: Option<u64>) -> u64 {
        let traffic = self.traffic();
        let end = announced.or_else(|| traffic.chunks.end());
        end.map_or(0, |end| traffic.after_head.saturating_sub(end))
    }

    /// Waits until all that the system has received on this connection is counted, or the connection is closed.
    pub(super) async fn quiet(&self) {
        loop {
            let quiet = self.0.went_quiet.notified();
            if self.traffic().quiet {
                return;
            }
            quiet.await;
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.0.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_quiet(&self) {
        self.traffic().quiet = true;
        self.0.went_quiet.notify_waiters();
    }

    fn received(&self, bytes: &[u8], max_head_bytes: usize) -> Result<(), HeadTooLarge> {
        let mut traffic = self.traffic();
        traffic.quiet = false;
        let in_head = traffic.head.read(bytes);
        traffic.in_head += in_head as u64;
        if traffic.in_head > max_head_bytes as u64 {
            return Err(HeadTooLarge(max_head_bytes));
        }
        let rest = &bytes[in_head..];
        traffic.after_head += rest.len() as u64;
        traffic.chunks.read(rest);
        Ok(())
    }
}

/// A stream that is counted, where it has a meter.
pub(super) struct Metered<S> {
    stream: S,
    meter: Option<Meter>,
    max_head_bytes: usize,
}

impl<S: Connection> Metered<S> {
    /// Counts a stream over which HTTP/1 is about to be spoken, and leaves one of HTTP/2 alone. Heads of answers may have so many
    /// bytes.
    pub(super) fn new(stream: S, max_head_bytes: usize) -> Self {
        let meter = (!stream.connected().is_negotiated_h2()).then(Meter::default);
        Self { stream, meter, max_head_bytes }
    }
}

impl<S: Connection> Connection for Metered<S> {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        match &self.meter {
            Some(meter) => {
                // It is not kept for another request.
                connected.poison();
                connected.extra(meter.clone())
            }
            None => connected,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(meter) = &self.meter else { return polled };
        match &buffer.filled()[filled..] {
            // Nothing is there yet, or nothing ever will be.
            [] => {
                meter.is_quiet();
                polled
            }
            bytes => match meter.received(bytes, self.max_head_bytes) {
                Ok(()) => polled,
                Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error))),
            },
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client will not read any more. What has come nevertheless is to be counted.
        if self.meter.as_ref().is_some_and(|meter| !meter.traffic().quiet) {
            let mut byte = [0];
            // Whether it fails does not matter any more.
            let _ = self.as_mut().poll_read(cx, &mut ReadBuf::new(&mut byte));
        }
        if let Some(meter) = &self.meter {
            meter.is_quiet();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        if let Some(meter) = &self.meter {
            meter.is_quiet();
        }
    }
}
