//! Observes every request: gives it an id, counts it in the metrics, and logs it.
//!
//! The id is the client's, if it sent one that is safe to log. It is returned in a header and in problem documents.
//! [`LogUrls`](crate::logs::LogUrls) determines how much of a URL is logged, because queries often contain secrets.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use media_cache::Source;
use media_cache_requests::MediaTarget;
use tracing::Instrument;

use crate::logs::requests::{LogRequests, RequestLog};
use crate::metrics::requests::{Outcome, method_name};
use crate::problem::Problem;
use crate::request_id::request_id;
use crate::request_trace::{SendEnd, TraceParent, TracedRequest};
use crate::routes;
use crate::sent_media::SentMedia;
use crate::service::Service;

/// The header with the id of a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Observes a request from its head to the end of its response.
pub(crate) async fn observe(State(service): State<Service>, request: Request, next: Next) -> Response {
    let observed = ObservedRequest::begin(service, &request);
    // Handlers log events in a span with the id. A request that may be a hit has no span, because hits must be fast.
    let may_be_hit = observed.route == routes::MEDIA && matches!(observed.method, Method::GET | Method::HEAD);
    let respond = async {
        match may_be_hit {
            true => next.run(request).await,
            false => {
                let span = tracing::info_span!("request", id = observed.id());
                next.run(request).instrument(span).await
            }
        }
    };
    let response = match &observed.traced {
        Some(traced) => respond.instrument(traced.span.clone()).await,
        None => respond.await,
    };
    observed.finish(response)
}

/// A request that has no response yet. If the client disconnects, it is dropped and counted as abandoned.
struct ObservedRequest {
    service: Service,
    id: HeaderValue,
    route: &'static str,
    is_polled: bool,
    method: Method,
    uri: Uri,
    begun: Instant,
    finished: bool,
    /// The span of the request, if it is traced.
    traced: Option<TracedRequest>,
}

impl ObservedRequest {
    fn begin(service: Service, request: &Request) -> Self {
        service.metrics().requests().begun();
        let route = routes::find(request.uri().path());
        let route_path = route.map_or("other", |route| route.path);
        let is_polled = route.is_some_and(|route| route.is_polled);
        let trace = |tracer| {
            let parent = TraceParent::of(request.headers());
            TracedRequest::begin(tracer, parent, method_name(request.method()), route.map(|route| route.path))
        };
        Self {
            traced: service.tracer().filter(|_| !is_polled).and_then(trace),
            id: request_id(request.headers().get(REQUEST_ID)),
            route: route_path,
            is_polled,
            method: request.method().clone(),
            uri: request.uri().clone(),
            begun: Instant::now(),
            finished: false,
            service,
        }
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    fn finish(mut self, mut response: Response) -> Response {
        self.finished = true;
        let problem = response.extensions_mut().remove::<Problem>();
        let source = response.extensions_mut().remove::<Source>();
        let outcome = match (&problem, source) {
            (Some(problem), _) => Outcome::Problem(problem.code()),
            (None, Some(source)) => Outcome::Media(source),
            (None, None) => Outcome::Done,
        };
        self.count(outcome);
        if let Some(problem) = &problem {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = problem.body(Some(self.id()));
        }
        response.headers_mut().insert(REQUEST_ID, self.id.clone());
        let line = self.log_line(outcome, Some(response.status()), problem);
        let traced = self.record_outcome(outcome, Some(response.status()));
        // The router drops the body of a response to HEAD.
        let media = source.filter(|_| self.method != Method::HEAD).map(|source| self.service.metrics().requests().send(source));
        if line.is_none() && media.is_none() && traced.is_none() {
            return response;
        }
        // hyper does not send the body of a response to HEAD.
        let length = if self.method == Method::HEAD { Some(0) } else { announced_length(&response) };
        // The outcome is already the error of the span.
        let end = response.status().is_server_error().then_some(SendEnd::Complete);
        response.map(|body| Body::new(ObservedBody::new(body, length, media, line, traced, end)))
    }

    fn count(&self, outcome: Outcome) {
        self.service.metrics().requests().ended(self.route, &self.method, outcome, self.begun.elapsed());
    }

    /// Records the outcome in the span of the request. Returns the span, which ends with the body of the response.
    fn record_outcome(&mut self, outcome: Outcome, status: Option<StatusCode>) -> Option<TracedRequest> {
        let traced = self.traced.take()?;
        traced.record_outcome(self.id(), outcome.name(), status);
        if names_url(self.route) {
            traced.record_url(self.service.request_log().urls, self.uri.path(), self.uri.query().unwrap_or_default());
        }
        Some(traced)
    }

    /// The line to log at the end, if the request is to be logged.
    fn log_line(&self, outcome: Outcome, status: Option<StatusCode>, problem: Option<Problem>) -> Option<LogLine> {
        let log = self.service.request_log();
        let least = match outcome {
            Outcome::Media(Source::Memory | Source::Disk) => LogRequests::All,
            Outcome::Done if self.is_polled => LogRequests::All,
            Outcome::Media(Source::Origin | Source::Copy) | Outcome::Done => LogRequests::Misses,
            Outcome::Problem(_) | Outcome::Abandoned => LogRequests::Errors,
        };
        (log.requests >= least).then(|| LogLine {
            log,
            id: self.id.clone(),
            route: self.route,
            method: self.method.clone(),
            uri: self.uri.clone(),
            status,
            outcome,
            reason: problem.and_then(Problem::reason),
            trace_id: self.traced.as_ref().map(|traced| traced.trace_id.clone()),
            begun: self.begun,
            first_byte: self.begun.elapsed(),
        })
    }
}

impl Drop for ObservedRequest {
    fn drop(&mut self) {
        if !self.finished {
            self.count(Outcome::Abandoned);
            if let Some(line) = self.log_line(Outcome::Abandoned, None, None) {
                line.write(0);
            }
            if let Some(traced) = self.record_outcome(Outcome::Abandoned, None) {
                traced.end(0, SendEnd::Abandoned);
            }
        }
    }
}

/// A log line that lacks only the number of bytes sent.
struct LogLine {
    log: RequestLog,
    id: HeaderValue,
    route: &'static str,
    method: Method,
    uri: Uri,
    status: Option<StatusCode>,
    outcome: Outcome,
    reason: Option<String>,
    trace_id: Option<String>,
    begun: Instant,
    first_byte: Duration,
}

impl LogLine {
    fn write(&self, bytes: u64) {
        let url = || MediaTarget::requested_url(self.uri.path(), self.uri.query().unwrap_or_default());
        let url = names_url(self.route).then(url).flatten().map(|url| self.log.urls.describe(&url));
        tracing::info!(
            request_id = self.id.to_str().unwrap_or_default(),
            method = method_name(&self.method),
            route = self.route,
            status = self.status.map(|status| status.as_u16()),
            outcome = self.outcome.name(),
            bytes,
            first_byte_seconds = self.first_byte.as_secs_f64(),
            seconds = self.begun.elapsed().as_secs_f64(),
            key = url.as_ref().map(|url| url.fingerprint.as_str()),
            host = url.as_ref().and_then(|url| url.host.as_deref()),
            url = url.as_ref().and_then(|url| url.text.as_deref()),
            reason = self.reason.as_deref(),
            trace_id = self.trace_id.as_deref(),
            "request"
        );
    }
}

/// Whether requests to a route name the URL of media.
fn names_url(route: &str) -> bool {
    [routes::MEDIA, routes::REFRESH].contains(&route)
}

/// The length of the body of a response, if that is known.
fn announced_length(response: &Response) -> Option<u64> {
    let announced = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    response.body().size_hint().exact().or(announced)
}

/// The body of a response, which is abandoned if this is dropped before its end. It counts the bytes, and logs the request when it is dropped.
struct ObservedBody {
    body: Body,
    bytes: u64,
    length: Option<u64>,
    media: Option<SentMedia>,
    line: Option<LogLine>,
    traced: Option<TracedRequest>,
    /// How it ended, if it has ended.
    end: Option<SendEnd>,
}

impl ObservedBody {
    fn new(
        body: Body,
        length: Option<u64>,
        media: Option<SentMedia>,
        line: Option<LogLine>,
        traced: Option<TracedRequest>,
        end: Option<SendEnd>,
    ) -> Self {
        let mut body = Self { body, bytes: 0, length, media, line, traced, end };
        body.sent(0);
        body
    }

    /// Counts bytes. After the last byte of a known length, the body is not polled again.
    fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
        if let Some(media) = &mut self.media {
            media.add(bytes);
        }
        if self.length == Some(self.bytes) {
            self.complete();
        }
    }

    fn complete(&mut self) {
        self.end.get_or_insert(SendEnd::Complete);
        self.media.iter_mut().for_each(SentMedia::complete);
    }
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.sent(frame.data_ref().map_or(0, Bytes::len) as u64),
            Some(Err(error)) => {
                if let Some(line) = &mut self.line {
                    line.reason = Some(format!("the body ended early: {error}"));
                }
                self.end.get_or_insert(SendEnd::Failed);
                self.media.iter_mut().for_each(SentMedia::fail);
            }
            None => self.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.write(self.bytes);
        }
        if let Some(traced) = self.traced.take() {
            let is_complete = self.body.is_end_stream();
            let end = self.end.unwrap_or(if is_complete { SendEnd::Complete } else { SendEnd::Abandoned });
            traced.end(self.bytes, end);
        }
    }
}
