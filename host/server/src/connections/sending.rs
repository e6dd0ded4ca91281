//! A response that bypasses hyper, while it is being sent.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::connections::exchange::InPlaceExchange;
use crate::connections::file_body::FileBody;
use crate::connections::guarded_stream::GuardedStream;
use crate::connections::in_place::{InPlaceBody, InPlaceResponse};
use crate::sent_media::SentMedia;

/// The number of bytes of a file that are sent before other connections on the same thread get a turn.
const TURN: usize = 512 << 10;

/// A response that is being sent.
pub(crate) struct Sending {
    head: Bytes,
    last_lines: Bytes,
    body: InPlaceBody,
    sent: SentMedia,
    _exchange: InPlaceExchange,
}

impl Sending {
    pub fn new(InPlaceResponse { head, last_lines, body, sent }: InPlaceResponse, exchange: InPlaceExchange) -> Self {
        Self { head, last_lines: last_lines.into(), body, sent, _exchange: exchange }
    }

    /// Sends as much as the client accepts.
    ///
    /// # Errors
    /// If the connection is broken, or the file of the body cannot be read. The response is then incomplete, and the connection has to be
    /// closed.
    pub fn poll(&mut self, stream: &mut GuardedStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { head, last_lines, body, sent, .. } = self;
        match body {
            InPlaceBody::Bytes(body) => {
                while !(head.is_empty() && last_lines.is_empty() && body.is_empty()) {
                    let before = body.len();
                    let mut written = ready!(write(stream, cx, [head, last_lines, body]))?;
                    for part in [&mut *head, &mut *last_lines, &mut *body] {
                        advance(part, &mut written);
                    }
                    sent.add((before - body.len()) as u64);
                }
            }
            InPlaceBody::File(body) => {
                let mut turn = 0;
                while !(head.is_empty() && last_lines.is_empty() && body.is_empty()) {
                    if turn >= TURN {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    let count = ready!(poll_file(stream, cx, head, last_lines, body, sent))?;
                    turn += count;
                    sent.add(count as u64);
                }
            }
        }
        sent.complete();
        Poll::Ready(Ok(()))
    }
}

/// Sends the next bytes of a response whose body is a file. Returns how many of them belong to the body.
fn poll_file(
    stream: &mut GuardedStream,
    cx: &mut Context<'_>,
    head: &mut Bytes,
    last_lines: &mut Bytes,
    body: &mut FileBody,
    sent: &mut SentMedia,
) -> Poll<io::Result<usize>> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        let chunk = match body.poll_chunk(cx, buffer) {
            Poll::Ready(Ok(chunk)) => chunk,
            Poll::Ready(Err(error)) => {
                tracing::warn!("a response is incomplete because the file of an entry cannot be read: {error}");
                stream.is_broken = true;
                sent.fail();
                return Poll::Ready(Err(error));
            }
            // Send the head without waiting for the body.
            Poll::Pending if !last_lines.is_empty() => &[],
            Poll::Pending => return Poll::Pending,
        };
        let offered = chunk.len();
        let Poll::Ready(written) = write(stream, cx, [head, last_lines, chunk]) else {
            body.sent(offered, None);
            return Poll::Pending;
        };
        let mut written = written?;
        for part in [head, last_lines] {
            advance(part, &mut written);
        }
        if offered > 0 {
            body.sent(offered, Some(written));
        }
        Poll::Ready(Ok(written))
    })
}

fn write(stream: &mut GuardedStream, cx: &mut Context<'_>, parts: [&[u8]; 3]) -> Poll<io::Result<usize>> {
    let written = ready!(Pin::new(stream).poll_write_vectored(cx, &parts.map(IoSlice::new)))?;
    Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
}

/// Removes the written bytes from a part, and reduces `written` to the number of bytes that were written from the parts after it.
fn advance(part: &mut Bytes, written: &mut usize) {
    let count = (*written).min(part.len());
    part.advance(count);
    *written -= count;
}
