//! The body of a response on an HTTP/2 stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

use crate::connections::stream_progress::StreamProgress;
use crate::connections::streams::OpenStream;

/// The maximum number of bytes that are passed on at once: those of a frame (RFC 9113, section 4.2). hyper sends what it gets whenever the
/// client accepts any byte, so this bounds what it holds for a client that does not read.
const PIECE: usize = 16 << 10;

/// The body of a response, in pieces. hyper polls it when the client has accepted most of the previous piece.
pub(crate) struct StreamBody {
    body: Body,
    rest: Bytes,
    progress: Arc<StreamProgress>,
    open: Arc<OpenStream>,
}

/// Part of a body, which keeps its stream open until the client has accepted it.
pub(crate) struct Piece {
    bytes: Bytes,
    progress: Arc<StreamProgress>,
    _open: Arc<OpenStream>,
}

impl StreamBody {
    pub fn new(body: Body, progress: Arc<StreamProgress>, open: OpenStream) -> Self {
        Self { body, rest: Bytes::new(), progress, open: Arc::new(open) }
    }
}

impl hyper::body::Body for StreamBody {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        let Self { body, rest, progress, open } = &mut *self;
        if rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *rest = data,
                // Trailers, which no response has.
                Some(Ok(Err(_))) | None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
        let bytes = rest.split_to(rest.len().min(PIECE));
        progress.passed_on(bytes.len());
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, progress: progress.clone(), _open: open.clone() }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.progress.accepted(count);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.progress.accepted(self.bytes.len());
    }
}
