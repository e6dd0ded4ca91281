//! An OpenTelemetry collector, which receives spans with OTLP over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::soon::soon;

/// A span, with ids in hexadecimal and attributes as text.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// The id of its trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// Empty if the span is the first of its trace.
    pub parent: String,
    /// The name of its kind, such as `Server`.
    pub kind: String,
    /// When it started and ended, in nanoseconds since 1970.
    pub time: (u64, u64),
    /// What is known about it.
    pub attributes: BTreeMap<String, String>,
    /// The name of its status, such as `Error`.
    pub status: String,
    /// The ids of the spans that it is linked to.
    pub links: Vec<String>,
    /// The attributes of the program that sent it.
    pub resource: BTreeMap<String, String>,
}

impl Span {
    /// An attribute, or an empty text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Whether this span is inside the time of another.
    #[must_use]
    pub fn is_during(&self, other: &Self) -> bool {
        other.time.0 <= self.time.0 && self.time.1 <= other.time.1
    }
}

/// How the collector responds.
#[derive(Clone, Copy)]
enum Mode {
    Accept,
    Refuse(StatusCode),
    /// Never.
    Hang,
}

struct Shared {
    spans: watch::Sender<Vec<Span>>,
    /// The number of requests.
    requests: watch::Sender<usize>,
    mode: Mutex<Mode>,
    headers: Mutex<Vec<HeaderMap>>,
    /// All bytes that were received.
    bytes: Mutex<Vec<u8>>,
}

/// A collector on a free port, which stops when it is dropped.
pub struct OtlpCollector {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl OtlpCollector {
    /// Starts a collector that accepts spans.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            spans: watch::Sender::default(),
            requests: watch::Sender::default(),
            mode: Mutex::new(Mode::Accept),
            headers: Mutex::default(),
            bytes: Mutex::default(),
        });
        let router = Router::new().route("/v1/traces", axum::routing::post(receive)).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, server }
    }

    /// The value of `--otlp-endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Responds with this status from now on.
    pub fn refuse(&self, status: u16) {
        *self.shared.mode.lock().unwrap() = Mode::Refuse(status.try_into().unwrap());
    }

    /// Does not respond from now on.
    pub fn hang(&self) {
        *self.shared.mode.lock().unwrap() = Mode::Hang;
    }

    /// Accepts spans from now on.
    pub fn accept(&self) {
        *self.shared.mode.lock().unwrap() = Mode::Accept;
    }

    /// The spans that were accepted.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.shared.spans.borrow().clone()
    }

    /// The headers of all requests.
    #[must_use]
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.shared.headers.lock().unwrap().clone()
    }

    /// Everything that was received, as far as it is text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.bytes.lock().unwrap()).into_owned()
    }

    /// Waits until this many requests have arrived, accepted or not.
    pub async fn wait_for_requests(&self, requests: usize) {
        let mut arrived = self.shared.requests.subscribe();
        soon(arrived.wait_for(|arrived| *arrived >= requests)).await.unwrap();
    }

    /// Waits for spans with this name, and returns all in the order in which they started.
    pub async fn wait_for(&self, name: &str, count: usize) -> Vec<Span> {
        let mut spans = self.shared.spans.subscribe();
        let has = |spans: &Vec<Span>| spans.iter().filter(|span| span.name == name).count() >= count;
        let spans = soon(spans.wait_for(has)).await.unwrap();
        let mut found: Vec<Span> = spans.iter().filter(|span| span.name == name).cloned().collect();
        found.sort_by_key(|span| span.time.0);
        found
    }

    /// Waits for the only span with this name.
    pub async fn span(&self, name: &str) -> Span {
        let mut spans = self.wait_for(name, 1).await;
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

impl Drop for OtlpCollector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let mode = *shared.mode.lock().unwrap();
    shared.headers.lock().unwrap().push(headers);
    shared.requests.send_modify(|requests| *requests += 1);
    match mode {
        Mode::Hang => std::future::pending().await,
        Mode::Refuse(status) => return status.into_response(),
        Mode::Accept => {}
    }
    shared.bytes.lock().unwrap().extend_from_slice(&body);
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let received = request.resource_spans.into_iter().flat_map(|group| {
        let resource = attributes(group.resource.unwrap_or_default().attributes);
        let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| read(span, resource.clone())).collect::<Vec<_>>()
    });
    let received: Vec<Span> = received.collect();
    shared.spans.send_modify(|spans| spans.extend(received));
    StatusCode::OK.into_response()
}

fn read(span: WireSpan, resource: BTreeMap<String, String>) -> Span {
    Span {
        kind: format!("{:?}", span.kind()),
        status: span.status.as_ref().map_or_else(String::new, |status| format!("{:?}", status.code())),
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        time: (span.start_time_unix_nano, span.end_time_unix_nano),
        attributes: attributes(span.attributes),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        resource,
    }
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
