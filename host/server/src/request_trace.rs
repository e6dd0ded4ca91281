//! Spans of requests, and the interface to what decides which requests are traced.
//!
//! A span contains as much of a URL as the log: see [`LogUrls`](crate::logs::LogUrls). It does not have `url.path`, since the paths of media
//! contain signatures and URLs.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use media_cache::SPAN_TARGET;
use media_cache_requests::MediaTarget;
use tracing::field::Empty;
use tracing::{Span, trace_span};

use crate::logs::LogUrls;

/// The headers that name the parent of a request's span (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Decides which requests are traced. The spans are recorded elsewhere, by a subscriber of [`tracing`].
pub trait RequestTracer: Send + Sync {
    /// Decides about a request whose span has this parent. If it is traced, calls `span` to create its span, makes the span a child of the
    /// parent, and returns it. It must not block.
    fn trace(&self, parent: TraceParent<'_>, span: &dyn Fn() -> Span) -> Option<TracedRequest>;
}

/// The parent of a request's span, as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceParent<'a> {
    /// The header `traceparent`.
    pub traceparent: Option<&'a str>,
    /// The header `tracestate`.
    pub tracestate: Option<&'a str>,
}

/// A request that is traced.
#[derive(Clone, Debug)]
pub struct TracedRequest {
    /// The span of the request.
    pub span: Span,
    /// The id of its trace, in hexadecimal.
    pub trace_id: String,
}

/// How the sending of a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendEnd {
    /// The whole body was sent.
    Complete,
    /// The rest of the body could not be read.
    Failed,
    /// The client disconnected, or the service stopped.
    Abandoned,
}

impl<'a> TraceParent<'a> {
    /// Reads headers. A header that a client sent several times is ignored.
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let only = |name| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none())?.to_str().ok()
        };
        Self { traceparent: only(TRACEPARENT), tracestate: only(TRACESTATE) }
    }
}

impl TracedRequest {
    /// Traces a request, if it is to be traced. An unknown method is `other`; an unknown path has no route.
    pub(crate) fn begin(
        tracer: &dyn RequestTracer,
        parent: TraceParent<'_>,
        method: &'static str,
        route: Option<&'static str>,
    ) -> Option<Self> {
        let span = || {
            trace_span!(
                target: SPAN_TARGET,
                "request",
                otel.name = span_name(method, route).as_ref(),
                otel.kind = "server",
                otel.status_code = Empty,
                http.request.method = if method == "other" { "_OTHER" } else { method },
                http.route = route,
                http.response.status_code = Empty,
                http.response.body.size = Empty,
                error.type = Empty,
                media_cache.request_id = Empty,
                media_cache.outcome = Empty,
                media_cache.key = Empty,
                media_cache.host = Empty,
                media_cache.url = Empty,
            )
        };
        tracer.trace(parent, &span)
    }

    /// Records the outcome, and the status of the response if there is one.
    pub(crate) fn record_outcome(&self, request_id: &str, outcome: &'static str, status: Option<StatusCode>) {
        let span = &self.span;
        span.record("media_cache.request_id", request_id).record("media_cache.outcome", outcome);
        if let Some(status) = status {
            span.record("http.response.status_code", status.as_u16());
        }
        if status.is_some_and(|status| status.is_server_error()) {
            span.record("error.type", outcome).record("otel.status_code", "ERROR");
        }
    }

    /// Records the parts of the requested URL that may be logged.
    pub(crate) fn record_url(&self, urls: LogUrls, path: &str, query: &str) {
        let Some(url) = MediaTarget::requested_url(path, query).map(|url| urls.describe(&url)) else { return };
        self.span.record("media_cache.key", url.fingerprint);
        self.span.record("media_cache.host", url.host);
        self.span.record("media_cache.url", url.text);
    }

    /// Ends the span, after this many bytes of the body were sent. A client that disconnects is not an error of the service.
    pub(crate) fn end(self, bytes: u64, end: SendEnd) {
        let span = &self.span;
        // The end of the span is when it was last entered.
        span.in_scope(|| span.record("http.response.body.size", bytes));
        match end {
            SendEnd::Complete => {}
            SendEnd::Failed => drop(span.record("error.type", "failed").record("otel.status_code", "ERROR")),
            SendEnd::Abandoned => drop(span.record("error.type", "abandoned")),
        }
    }
}

/// The name of a request's span, according to the conventions of OpenTelemetry.
fn span_name(method: &'static str, route: Option<&str>) -> Cow<'static, str> {
    let method = if method == "other" { "HTTP" } else { method };
    route.map_or(method.into(), |route| format!("{method} {route}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_is_named_after_a_known_method_and_a_known_route() {
        for (method, route, name) in [
            ("GET", Some("/media"), "GET /media"),
            ("GET", None, "GET"),
            ("other", Some("/media"), "HTTP /media"),
            ("other", None, "HTTP"),
        ] {
            assert_eq!(span_name(method, route), name);
        }
    }
}
