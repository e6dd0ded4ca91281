//! The spans on their way to the collector. Their number is limited, so a collector that is slow or cannot be reached costs spans, and
//! nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use media_cache_server::{SpanCounts, SpanReport};
use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use url::Url;

/// How often it is logged that spans are dropped.
const DROPS_LOGGED_EVERY: Duration = Duration::from_secs(60);

/// What is known about the export of spans.
#[derive(Debug)]
pub struct ExportState {
    /// The collector.
    collector: String,
    max_queued: usize,
    queued: AtomicUsize,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    /// Whether the last batch could not be sent, which was then logged.
    is_down: AtomicBool,
    started: Instant,
    /// From when on it is logged that spans are dropped, in seconds after the start.
    drops_logged_from: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl ExportState {
    pub fn new(collector: &Url, max_queued: usize) -> Self {
        Self {
            collector: collector.origin().ascii_serialization(),
            max_queued,
            queued: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            started: Instant::now(),
            drops_logged_from: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// The number of spans that have not been sent.
    pub fn queued(&self) -> usize {
        self.queued.load(Relaxed)
    }

    /// Notes why the last request to the collector failed, or that it succeeded.
    pub fn note_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Adds a span to the queue, unless the queue is full.
    fn enqueue(&self) -> bool {
        let enqueued =
            self.queued.fetch_update(Relaxed, Relaxed, |queued| (queued < self.max_queued).then_some(queued + 1)).is_ok();
        if !enqueued {
            self.dropped.fetch_add(1, Relaxed);
            self.log_drops();
        }
        enqueued
    }

    /// Logs that spans are dropped, at most once in an interval.
    fn log_drops(&self) {
        let (now, from) = (self.started.elapsed().as_secs(), self.drops_logged_from.load(Relaxed));
        let next = now + DROPS_LOGGED_EVERY.as_secs();
        if now >= from && self.drops_logged_from.compare_exchange(from, next, Relaxed, Relaxed).is_ok() {
            tracing::warn!(
                "spans end faster than the collector at {} accepts them, so some are dropped; see --trace-ratio",
                self.collector
            );
        }
    }

    /// Notes the end of a batch with this many spans.
    fn end(&self, spans: usize, outcome: &OTelSdkResult) {
        self.queued.fetch_sub(spans, Relaxed);
        if outcome.is_ok() {
            self.sent.fetch_add(spans as u64, Relaxed);
            if self.is_down.swap(false, Relaxed) {
                tracing::info!("the collector at {} accepts spans again", self.collector);
            }
            return;
        }
        self.failed.fetch_add(spans as u64, Relaxed);
        if !self.is_down.swap(true, Relaxed) {
            let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let why = failure.or_else(|| outcome.as_ref().err().map(ToString::to_string)).unwrap_or_default();
            tracing::warn!("cannot send spans to the collector at {}, so they are lost: {why}", self.collector);
        }
    }
}

impl SpanCounts for ExportState {
    fn report(&self) -> SpanReport {
        SpanReport { sent: self.sent.load(Relaxed), failed: self.failed.load(Relaxed), dropped: self.dropped.load(Relaxed) }
    }
}

/// Adds spans to batches, as long as not too many are waiting.
#[derive(Debug)]
pub struct BoundedProcessor {
    batches: BatchSpanProcessor,
    state: Arc<ExportState>,
}

impl BoundedProcessor {
    pub fn new(batches: BatchSpanProcessor, state: Arc<ExportState>) -> Self {
        Self { batches, state }
    }
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // The queue of the batches is at least as long, so they drop nothing.
        if self.state.enqueue() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends batches, and counts them.
#[derive(Debug)]
pub struct CountedExporter {
    exporter: OtlpExporter,
    state: Arc<ExportState>,
}

impl CountedExporter {
    pub fn new(exporter: OtlpExporter, state: Arc<ExportState>) -> Self {
        Self { exporter, state }
    }
}

impl SpanExporter for CountedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        self.state.end(spans, &outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
