//! Counts the bytes of media that are sent, and the responses that end early.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::request_trace::TracedRequest;

/// The counters of the media from one source.
pub(crate) struct SentCounters {
    pub bytes: Counter,
    /// Responses whose media could not be read to its end.
    pub failed: Counter,
    /// Responses that clients abandoned before their end.
    pub abandoned: Counter,
}

/// The media of a response, which is abandoned if this is dropped before its end.
pub(crate) struct SentMedia {
    counters: Arc<SentCounters>,
    has_ended: bool,
    /// The request that the hit lane answers with the media, if it is traced, and the bytes that were sent.
    traced: Option<Box<(TracedRequest, u64)>>,
}

impl SentMedia {
    pub fn new(counters: Arc<SentCounters>) -> Self {
        Self { counters, has_ended: false, traced: None }
    }

    /// Ends the span of a request when this is dropped.
    pub fn end_at_drop(&mut self, request: TracedRequest) {
        self.traced = Some(Box::new((request, 0)));
    }

    /// Records that this many more bytes were sent.
    pub fn add(&mut self, bytes: u64) {
        self.counters.bytes.inc_by(bytes);
        if let Some(traced) = &mut self.traced {
            traced.1 += bytes;
        }
    }

    /// Records that all of it was sent.
    pub fn complete(&mut self) {
        self.has_ended = true;
    }

    /// Records that the rest of it cannot be read.
    pub fn fail(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.counters.failed.inc();
        }
    }
}

impl Drop for SentMedia {
    fn drop(&mut self) {
        if !self.has_ended {
            self.counters.abandoned.inc();
        }
        if let Some((request, bytes)) = self.traced.take().map(|traced| *traced) {
            request.end(bytes);
        }
    }
}
