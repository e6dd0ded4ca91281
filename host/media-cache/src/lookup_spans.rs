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

/// What concurrent calls for an entry share: the span of the call that fetches or stores the media, if there is one and it has a span.
#[derive(Default)]
pub(crate) struct Concurrent(Mutex<Option<Span>>);

/// A call that has a span. Clones refer to the same call.
#[derive(Clone)]
pub(crate) struct LookupSpan(Arc<Call>);

struct Call {
    spans: Arc<LookupSpans>,
    key: String,
    span: Span,
    /// `None` once the call ends.
    concurrent: Option<Arc<Concurrent>>,
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
        Some(LookupSpan(Arc::new(Call {
            spans: self.clone(),
            key: key.to_owned(),
            span,
            concurrent: Some(concurrent),
            leads: AtomicBool::new(false),
        })))
    }

    /// A transcoder whose conversions have spans, if the calls that they belong to have spans.
    pub fn transcoder(self: &Arc<Self>, transcoder: Arc<dyn Transcoder>, keys: KeyRules) -> Arc<dyn Transcoder> {
        Arc::new(TracedTranscoder { transcoder, spans: self.clone(), keys })
    }

    /// The span of the call that fetches or stores an entry.
    fn leader(&self, key: &str) -> Option<Span> {
        let calls = self.calls();
        // Dropped before the lock is released, so that a call that ends does not count it.
        let concurrent = calls.get(key)?.upgrade()?;
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
    fn span(&self) -> &Span {
        &self.0.span
    }

    /// A downloader whose fetches run in the span.
    pub fn downloader(&self, downloader: Arc<dyn Downloader>) -> Arc<dyn Downloader> {
        Arc::new(TracedDownloader { downloader, call: self.clone() })
    }

    /// Makes the fetch of the entry, and its conversion, part of this call.
    pub fn lead(&self) {
        let Call { spans, key, span, concurrent, leads } = &*self.0;
        leads.store(true, Relaxed);
        let Some(concurrent) = concurrent else { return };
        let mut calls = spans.calls();
        *concurrent.leader() = Some(span.clone());
        // After the end of another leader, further calls no longer share this.
        calls.insert(key.clone(), Arc::downgrade(concurrent));
    }

    /// Runs the call in the span, and records its outcome.
    pub async fn run<T, E>(
        self,
        source: impl FnOnce(&T) -> Option<Source>,
        error: impl FnOnce(&E) -> &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome = call.instrument(self.span().clone()).await;
        self.end(outcome.as_ref().map(source).map_err(error));
        outcome
    }

    /// Records the outcome: where the media came from, if there is any, or the name of the error.
    fn end(self, outcome: Result<Option<Source>, &'static str>) {
        let (Call { span, concurrent, leads, .. }, name) = (&*self.0, outcome.map(|source| source.map_or("none", source_name)));
        match name {
            Ok(source) => span.record("media_cache.source", source),
            Err(error) => span.record("error.type", error).record("otel.status_code", "ERROR"),
        };
        // The leader may have no span.
        let leader = concurrent.as_ref().and_then(|concurrent| concurrent.leader().clone()).filter(|leader| leader != span);
        let has_shared = match outcome {
            Ok(source) => source.is_some_and(|source| !source.is_hit()),
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
        let Some(concurrent) = self.concurrent.take() else { return };
        let mut calls = self.spans.calls();
        let is_current = calls.get(&self.key).is_some_and(|current| current.as_ptr() == Arc::as_ptr(&concurrent));
        let has_led = concurrent.leader().as_ref() == Some(&self.span);
        // Calls that begin later do not keep the span of a leader open.
        if is_current && (has_led || Arc::strong_count(&concurrent) == 1) {
            calls.remove(&self.key);
        }
        // Before the lock is released: of two calls that end at once, the second one sees that it is the last.
        drop(concurrent);
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    use tracing::span::{Attributes, Id, Record};
    use tracing::subscriber::with_default;
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Enables all spans.
    #[derive(Default)]
    struct Everything(AtomicU64);

    impl Subscriber for Everything {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(self.0.fetch_add(1, Relaxed) + 1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    const KEY: &str = "https://example.com/a.png";

    fn begin(spans: &Arc<LookupSpans>) -> LookupSpan {
        spans.begin(call_span!("lookup"), KEY).unwrap()
    }

    #[test]
    fn leader_is_the_call_that_fetches_and_not_the_first_one() {
        with_default(Everything::default(), || {
            let spans = Arc::<LookupSpans>::default();
            let (first, second) = (begin(&spans), begin(&spans));
            assert_eq!(spans.leader(KEY), None);
            second.lead();
            assert_eq!(spans.leader(KEY).as_ref(), Some(second.span()));
            first.end(Ok(Some(Source::Origin)));
            assert_eq!(spans.leader(KEY).as_ref(), Some(second.span()));
        });
    }

    #[test]
    fn leader_is_forgotten_when_its_call_ends_while_other_calls_continue() {
        with_default(Everything::default(), || {
            let spans = Arc::<LookupSpans>::default();
            let (leader, follower) = (begin(&spans), begin(&spans));
            leader.lead();
            let led = leader.span().clone();
            drop(leader);
            let later = begin(&spans);
            assert_eq!(spans.leader(KEY), None);
            let shared = follower.0.concurrent.as_ref().unwrap().leader().clone();
            assert_eq!(shared, Some(led), "the follower can still be linked to it");
            follower.lead();
            assert_eq!(spans.leader(KEY).as_ref(), Some(follower.span()), "a call can lead after another leader");
            drop((follower, later));
            assert!(spans.calls().is_empty());
        });
    }

    #[test]
    fn calls_that_end_at_once_leave_nothing() {
        let spans = Arc::<LookupSpans>::default();
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    with_default(Everything::default(), || {
                        for _ in 0..2_000 {
                            let call = begin(&spans);
                            barrier.wait();
                            drop(call);
                            spans.leader(KEY);
                            barrier.wait();
                            assert!(spans.calls().is_empty());
                            barrier.wait();
                        }
                    });
                });
            }
        });
    }
}
