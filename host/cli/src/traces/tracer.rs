//! Decides which requests are traced, and makes their spans children of those of their clients.

use media_cache_server::{RequestTracer, TraceParent, TracedRequest};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Decides by a sampler.
pub struct OtlpTracer {
    sampler: Sampler,
    propagator: TraceContextPropagator,
    ids: RandomIdGenerator,
}

impl OtlpTracer {
    pub fn new(sampler: Sampler) -> Self {
        Self { sampler, propagator: TraceContextPropagator::new(), ids: RandomIdGenerator::default() }
    }

    /// The context that a client sent, if it is valid.
    fn parent(&self, parent: TraceParent<'_>) -> Option<Context> {
        parent.traceparent?;
        let context = self.propagator.extract_with_context(&Context::new(), &Headers(parent));
        context.has_active_span().then_some(context)
    }
}

impl RequestTracer for OtlpTracer {
    fn trace(&self, parent: TraceParent<'_>, span: &dyn Fn() -> Span) -> Option<TracedRequest> {
        let parent = self.parent(parent);
        let trace_id = match &parent {
            Some(parent) => parent.span().span_context().trace_id(),
            // Any random id is as good as that of the span will be.
            None => self.ids.new_trace_id(),
        };
        let sampled = self.sampler.should_sample(parent.as_ref(), trace_id, "", &SpanKind::Server, &[], &[]);
        if sampled.decision != SamplingDecision::RecordAndSample {
            return None;
        }
        let span = span();
        if let Some(parent) = parent {
            span.set_parent(parent).ok()?;
        }
        let trace_id = span.context().span().span_context().trace_id().to_string();
        Some(TracedRequest { span, trace_id })
    }
}

/// The headers of a request.
struct Headers<'a>(TraceParent<'a>);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.0.traceparent,
            "tracestate" => self.0.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
