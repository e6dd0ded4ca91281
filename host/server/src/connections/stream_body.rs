//! The body of a response on an HTTP/2 stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::connections::stream_progress::StreamProgress;
use crate::connections::streams::OpenStream;

/// The maximum number of bytes that are passed on at once: those of a frame (RFC 9113, section 4.2). hyper sends what it gets whenever the
/// client accepts any byte, so this bounds what it holds for a client that does not read.
const PIECE: usize = 16 << 10;

/// The body of a response, in pieces. hyper polls it when the client has accepted the previous piece.
pub(crate) struct StreamBody {
    body: Body,
    rest: Bytes,
    progress: Arc<StreamProgress>,
    _open: OpenStream,
}

impl StreamBody {
    pub fn new(body: Body, progress: Arc<StreamProgress>, open: OpenStream) -> Self {
        Self { body, rest: Bytes::new(), progress, _open: open }
    }
}

impl hyper::body::Body for StreamBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, rest, progress, .. } = &mut *self;
        progress.accepted();
        if rest.is_empty() {
            let frame = ready!(Pin::new(body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *rest = data,
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        progress.passed_on(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
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
