//! Spans for calls that may fetch media, and for conversions.
//!
//! Concurrent calls for an entry share one fetch, which runs in the span of the call that leads it. The spans of the other calls follow from
//! that one. A call gets a span only if a subscriber records spans with the target [`SPAN_TARGET`]; otherwise, this costs nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use media_cache_interfaces::{
    Downloader, FetchError, Fetched, FetchedMedia, Original, SPAN_TARGET, TranscodeError, Transcoded, Transcoder, Validators,
};
use media_cache_key_rules::KeyRules;
use tracing::field::Empty;
use tracing::{Instrument, Span, trace_span};

use crate::media::Source;

/// Creates the span of a call.
macro_rules! call_span {
    ($name:literal) => {
        tracing::trace_span!(
            target: media_cache_interfaces::SPAN_TARGET,
            $name,
            media_cache.source = tracing::field::Empty,
            media_cache.coalesced = tracing::field::Empty,
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        )
    };
}
pub(crate) use call_span;

/// The calls in progress that have spans, by cache key.
#[derive(Default)]
pub(crate) struct LookupSpans(Mutex<HashMap<String, Weak<Concurrent>>>);

/// What concurrent calls for an entry share: the span of the call that leads the current fetch, or of the first call if there is no fetch.
#[derive(Default)]
pub(crate) struct Concurrent(Mutex<Option<Span>>);

/// A call that has a span. Clones refer to the same call.
#[derive(Clone)]
pub(crate) struct LookupSpan(Arc<Call>);

struct Call {
    spans: Arc<LookupSpans>,
    key: String,
    span: Span,
    concurrent: Arc<Concurrent>,
    /// Whether this call leads a fetch.
    leads: AtomicBool,
}

impl LookupSpans {
    /// Begins a call for an entry. `None` if its span is not recorded.
    pub fn begin(self: &Arc<Self>, span: Span, key: &str) -> Option<LookupSpan> {
        if span.is_disabled() {
            return None;
        }
        let mut calls = self.calls();
        let current = calls.get(key).and_then(Weak::upgrade);
        let concurrent = current.unwrap_or_default();
        calls.insert(key.to_owned(), Arc::downgrade(&concurrent));
        concurrent.leader().get_or_insert_with(|| span.clone());
        Some(LookupSpan(Arc::new(Call {
            spans: self.clone(),
            key: key.to_owned(),
            span,
            concurrent,
            leads: AtomicBool::new(false),
        })))
    }

    /// A transcoder whose conversions have spans, if the calls that they belong to have spans.
    pub fn transcoder(self: &Arc<Self>, transcoder: Arc<dyn Transcoder>, keys: KeyRules) -> Arc<dyn Transcoder> {
        Arc::new(TracedTranscoder { transcoder, spans: self.clone(), keys })
    }

    /// The span of the call that leads a fetch of an entry.
    fn leader(&self, key: &str) -> Option<Span> {
        let concurrent = self.calls().get(key)?.upgrade()?;
        concurrent.leader().clone()
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<String, Weak<Concurrent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Concurrent {
    fn leader(&self) -> MutexGuard<'_, Option<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LookupSpan {
    pub fn span(&self) -> &Span {
        &self.0.span
    }

    /// A downloader whose fetches run in the span.
    pub fn downloader(&self, downloader: Arc<dyn Downloader>) -> Arc<dyn Downloader> {
        Arc::new(TracedDownloader { downloader, call: self.clone() })
    }

    /// Makes the fetch of the entry, and its conversion, part of this call.
    fn lead(&self) {
        self.0.leads.store(true, Relaxed);
        *self.0.concurrent.leader() = Some(self.0.span.clone());
    }

    /// Records the outcome: where the media came from, if there is any, or the name of the error.
    pub fn end(self, outcome: Result<Option<Source>, &'static str>) {
        let (Call { span, concurrent, leads, .. }, name) = (&*self.0, outcome.map(|source| source.map_or("none", source_name)));
        match name {
            Ok(source) => span.record("media_cache.source", source),
            Err(error) => span.record("error.type", error).record("otel.status_code", "ERROR"),
        };
        // The leader may have no span.
        let leader = concurrent.leader().clone().filter(|leader| leader != span);
        let has_shared = match outcome {
            Ok(source) => source == Some(Source::Origin),
            Err(_) => leader.is_some(),
        };
        if has_shared && !leads.load(Relaxed) {
            span.record("media_cache.coalesced", true);
            span.follows_from(leader.and_then(|leader| leader.id()));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut calls = self.spans.calls();
        if Arc::strong_count(&self.concurrent) == 1 {
            calls.remove(&self.key);
        }
    }
}

/// The name of a source in spans.
fn source_name(source: Source) -> &'static str {
    match source {
        Source::Memory => "memory",
        Source::Disk => "disk",
        Source::Origin => "origin",
        Source::Copy => "tier",
    }
}

/// A downloader that fetches for a call.
struct TracedDownloader {
    downloader: Arc<dyn Downloader>,
    call: LookupSpan,
}

impl Downloader for TracedDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        self.call.lead();
        Box::pin(self.downloader.fetch(url).instrument(self.call.span().clone()))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        self.call.lead();
        Box::pin(self.downloader.fetch_if_changed(url, validators).instrument(self.call.span().clone()))
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.downloader.check(url, media)
    }
}

/// A transcoder whose conversions have spans.
struct TracedTranscoder {
    transcoder: Arc<dyn Transcoder>,
    spans: Arc<LookupSpans>,
    keys: KeyRules,
}

impl Transcoder for TracedTranscoder {
    fn accepted_types(&self) -> Vec<String> {
        self.transcoder.accepted_types()
    }

    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        let Some(leader) = original.url.and_then(|url| self.spans.leader(&self.keys.key(url))) else {
            return self.transcoder.transcode(original);
        };
        let span = leader.in_scope(|| {
            trace_span!(
                target: SPAN_TARGET,
                "convert",
                media_cache.original.size = original.body.len(),
                media_cache.converted.size = Empty,
                error.type = Empty,
                otel.status_code = Empty,
            )
        });
        let conversion = self.transcoder.transcode(original).instrument(span.clone());
        Box::pin(async move {
            let transcoded = conversion.await;
            match &transcoded {
                Ok(Transcoded::Converted(converted)) => drop(span.record("media_cache.converted.size", converted.body.len())),
                Ok(Transcoded::Keep) => {}
                Err(error) => drop(span.record("error.type", error.name).record("otel.status_code", "ERROR")),
            }
            transcoded
        })
    }
}
