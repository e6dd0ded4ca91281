//! Watching requests: each has an id, and is counted and logged.
//!
//! The id comes from the client, where it sent one that can be shown, and goes back to it in a header and in problem documents. What
//! the log says of a URL is in [`LogUrls`]: queries hold secrets often enough.

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
use prometheus_client::metrics::counter::Counter;
use tracing::Instrument;

use super::problem::Problem;
use super::request_id::request_id;
use super::{PATHS, Service};
use crate::logs::{LogRequests, RequestLog};
use crate::media::Source;
use crate::metrics::{Outcome, method_name};

/// The header in which the id comes and goes.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is asked so often, by machines, that nobody wants to read of it unless it fails.
const POLLED: &[&str] = &["/healthz", "/readyz", "/metrics", "/stats"];

/// Watches a request from its head to the end of its answer.
pub(super) async fn observe(State(service): State<Service>, request: Request, next: Next) -> Response {
    let watch = Watch::begin(service, &request);
    // What is logged on the way is to name the request; of a hit, which has no time to lose, there is nothing.
    let quiet = watch.route == "/media" && matches!(watch.method, Method::GET | Method::HEAD);
    let response = match quiet {
        true => next.run(request).await,
        false => {
            let span = tracing::info_span!("request", id = watch.id());
            next.run(request).instrument(span).await
        }
    };
    watch.answered(response)
}

/// A request that is not answered yet.
struct Watch {
    service: Service,
    id: HeaderValue,
    route: &'static str,
    method: Method,
    uri: Uri,
    begun: Instant,
    answered: bool,
}

impl Watch {
    fn begin(service: Service, request: &Request) -> Self {
        service.metrics().requests().begun();
        let path = request.uri().path();
        Self {
            id: request_id(request.headers().get(REQUEST_ID)),
            route: PATHS.iter().find(|known| **known == path).unwrap_or(&"other"),
            method: request.method().clone(),
            uri: request.uri().clone(),
            begun: Instant::now(),
            answered: false,
            service,
        }
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    fn answered(mut self, mut response: Response) -> Response {
        self.answered = true;
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
        let line = self.line(outcome, Some(response.status()), problem);
        let counter = source.map(|source| self.service.metrics().requests().sent(source).clone());
        if line.is_none() && counter.is_none() {
            return response;
        }
        response.map(|body| Body::new(Sent { body, bytes: 0, counter, line }))
    }

    fn count(&self, outcome: Outcome) {
        self.service.metrics().requests().ended(self.route, &self.method, outcome, self.begun.elapsed());
    }

    /// What is to be logged in the end, if anything is.
    fn line(&self, outcome: Outcome, status: Option<StatusCode>, problem: Option<Problem>) -> Option<Line> {
        let log = self.service.request_log();
        let ordinary = match outcome {
            Outcome::Media(Source::Memory | Source::Disk) => LogRequests::All,
            Outcome::Done if POLLED.contains(&self.route) => LogRequests::All,
            Outcome::Media(Source::Origin) | Outcome::Done => LogRequests::Misses,
            Outcome::Problem(_) | Outcome::Abandoned => LogRequests::Errors,
        };
        (log.requests >= ordinary).then(|| Line {
            log,
            id: self.id.clone(),
            route: self.route,
            method: self.method.clone(),
            uri: self.uri.clone(),
            status,
            outcome,
            reason: problem.and_then(Problem::reason),
            begun: self.begun,
            first_byte: self.begun.elapsed(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.answered {
            self.count(Outcome::Abandoned);
            if let Some(line) = self.line(Outcome::Abandoned, None, None) {
                line.write(0);
            }
        }
    }
}

/// A line of the log, but for how much was sent.
struct Line {
    log: RequestLog,
    id: HeaderValue,
    route: &'static str,
    method: Method,
    uri: Uri,
    status: Option<StatusCode>,
    outcome: Outcome,
    reason: Option<String>,
    begun: Instant,
    first_byte: Duration,
}

impl Line {
    fn write(&self, bytes: u64) {
        let wanted = (self.route == "/media").then(|| self.uri.query()).flatten();
        let url = wanted.and_then(|query| url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "url"));
        let url = url.map(|(_, url)| self.log.urls.describe(&url));
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
            "request"
        );
    }
}

/// A body on its way to the client.
struct Sent {
    body: Body,
    bytes: u64,
    counter: Option<Counter>,
    line: Option<Line>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            let bytes = data.len() as u64;
            self.bytes += bytes;
            if let Some(counter) = &self.counter {
                counter.inc_by(bytes);
            }
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

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.write(self.bytes);
        }
    }
}
