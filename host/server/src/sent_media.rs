//! Counts the bytes of media that are sent, and the responses that end early.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::request_trace::{SendEnd, TracedRequest};

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
    /// How it ended, if it has ended.
    end: Option<SendEnd>,
    /// The request that the hit lane answers with the media, if it is traced, and the bytes that were sent.
    traced: Option<Box<(TracedRequest, u64)>>,
}

impl SentMedia {
    pub fn new(counters: Arc<SentCounters>) -> Self {
        Self { counters, end: None, traced: None }
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
        self.end.get_or_insert(SendEnd::Complete);
    }

    /// Records that the rest of it cannot be read.
    pub fn fail(&mut self) {
        if self.end.is_none() {
            self.end = Some(SendEnd::Failed);
            self.counters.failed.inc();
        }
    }
}

impl Drop for SentMedia {
    fn drop(&mut self) {
        let end = self.end.unwrap_or(SendEnd::Abandoned);
        if end == SendEnd::Abandoned {
            self.counters.abandoned.inc();
        }
        if let Some((request, bytes)) = self.traced.take().map(|traced| *traced) {
            request.end(bytes, end);
        }
    }
}
