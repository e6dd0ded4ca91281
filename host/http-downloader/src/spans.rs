//! Spans for the requests of a download. They have the host of a URL, but no other part of it.

use http::Response;
use media_cache_interfaces::{FetchError, SPAN_TARGET};
use tracing::field::Empty;
use tracing::{Span, trace_span};

use crate::target::Target;

/// The span of a request, from the time when it can be sent to the end of the body of its response.
pub(crate) fn of_request(target: &Target) -> Span {
    trace_span!(
        target: SPAN_TARGET,
        "GET",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = "GET",
        http.response.status_code = Empty,
        http.response.body.size = Empty,
        server.address = target.host(),
        server.port = target.url().port_or_known_default(),
        error.type = Empty,
    )
}

/// The span of a wait for a permit.
pub(crate) fn of_wait() -> Span {
    trace_span!(target: SPAN_TARGET, "wait for permit")
}

/// Records the response to a request, or the failure.
pub(crate) fn record_response<B>(span: &Span, response: Result<&Response<B>, &FetchError>) {
    match response {
        Ok(response) => {
            let status = response.status();
            span.record("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                span.record("error.type", status.as_str()).record("otel.status_code", "ERROR");
            }
        }
        Err(failure) => record_failure(span, failure),
    }
}

/// Records the end of a body.
pub(crate) fn record_body(span: &Span, bytes: u64, received: Result<(), &FetchError>) {
    span.record("http.response.body.size", bytes);
    if let Err(failure) = received {
        record_failure(span, failure);
    }
}

fn record_failure(span: &Span, failure: &FetchError) {
    span.record("error.type", failure.name()).record("otel.status_code", "ERROR");
}
