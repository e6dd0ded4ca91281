//! Records the spans of traced requests.

use media_cache::SPAN_TARGET;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use crate::logging::SpanLayer;

/// The span of a request, which exists only if the request is traced.
const REQUEST: &str = "request";

/// A layer that records the spans of traced requests, and what happens in them.
pub fn layer(tracer: SdkTracer) -> SpanLayer {
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(false)
        .with_level(false)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    Box::new(layer.with_filter(OfTracedRequests))
}

/// Accepts the spans of requests, and spans inside accepted ones. Events of the log are not accepted: they may contain more than spans may.
struct OfTracedRequests;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for OfTracedRequests {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_ours(metadata) && (metadata.name() == REQUEST || context.lookup_current().is_some())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == SPAN_TARGET
}
