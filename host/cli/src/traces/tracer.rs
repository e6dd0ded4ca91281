//! Decides which requests are traced, and makes their spans children of those of their clients.

use media_cache_server::{RequestTracer, TraceParent, TracedRequest};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The longest `tracestate` that is passed on. Longer ones may be dropped (W3C Trace Context, 3.3.1.5), and are a cost to each span.
const MAX_TRACESTATE: usize = 512;

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

    /// What it decides by.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
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
            "tracestate" => self.0.tracestate.filter(|state| state.len() <= MAX_TRACESTATE),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tracestate_is_dropped() {
        let tracer = OtlpTracer::new(Sampler::AlwaysOn);
        for (length, kept) in [(MAX_TRACESTATE, MAX_TRACESTATE), (MAX_TRACESTATE + 1, 0)] {
            // A value has at most 256 characters.
            let (one, other) = (format!("a={}", "b".repeat(252)), format!("c={}", "d".repeat(length - 257)));
            let state = format!("{one},{other}");
            assert_eq!(state.len(), length);
            let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            let context = tracer.parent(TraceParent { traceparent, tracestate: Some(&state) }).unwrap();
            assert_eq!(context.span().span_context().trace_state().header().len(), kept);
        }
    }
}
