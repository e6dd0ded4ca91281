//! Counts the bytes of media that are sent, and the responses that end early.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

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
}

impl SentMedia {
    pub fn new(counters: Arc<SentCounters>) -> Self {
        Self { counters, has_ended: false }
    }

    /// Records that this many more bytes were sent.
    pub fn add(&self, bytes: u64) {
        self.counters.bytes.inc_by(bytes);
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
    }
}
