//! An object store in this process: as much of the S3 protocol as the second tier uses, with faults.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// The path of the bucket.
const BUCKET: &str = "/bucket/";

/// What the store does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers with a status and an error document.
    Status(u16),
    /// It answers that the bucket does not exist.
    NoBucket,
    /// It closes the connection in the middle of a body.
    Partial,
    /// It sends half of a body, and then nothing.
    Stall,
    /// It returns other bytes of the same length.
    OtherBytes,
    /// It never answers.
    Silence,
}

/// The store, which stops when it is dropped.
pub struct ObjectStore {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    objects: BTreeMap<String, Object>,
    versions: u64,
    fault: Option<(Fault, Option<Method>)>,
    /// The parts of uploads in progress, by their number.
    uploads: BTreeMap<u64, BTreeMap<u64, Bytes>>,
    requests: Vec<(Method, String)>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    version: u64,
    modified: SystemTime,
}

impl ObjectStore {
    /// Starts a store with an empty bucket on a free port.
    pub async fn start() -> Self {
        Self::serve(TcpListener::bind(("127.0.0.1", 0)).await.unwrap(), Arc::default())
    }

    fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) -> Self {
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(respond).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, server }
    }

    /// The environment variables with which a service uses the store.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        variables(&format!("http://{}", self.address))
    }

    /// Closes the port. Requests over connections that are still open fail, too.
    pub fn vanish(&self) {
        self.server.abort();
        self.fail(Fault::Partial);
    }

    /// Opens the port again.
    pub async fn return_after_vanishing(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.recover();
        *self = Self::serve(socket.listen(1024).unwrap(), self.shared.clone());
    }

    /// Makes every request fail.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().unwrap().fault = Some((fault, None));
    }

    /// Makes every request with this method fail.
    pub fn fail_only(&self, fault: Fault, method: Method) {
        self.shared.lock().unwrap().fault = Some((fault, Some(method)));
    }

    /// Answers all requests from now on.
    pub fn recover(&self) {
        self.shared.lock().unwrap().fault = None;
    }

    /// The names of all objects.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.lock().unwrap().objects.keys().cloned().collect()
    }

    /// The bytes of an object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Bytes> {
        self.shared.lock().unwrap().objects.get(name).map(|object| object.bytes.clone())
    }

    /// Writes an object.
    pub fn write(&self, name: &str, bytes: impl Into<Bytes>) {
        self.shared.lock().unwrap().write(name, bytes.into());
    }

    /// Changes when an object was written.
    pub fn set_modified(&self, name: &str, modified: SystemTime) {
        self.shared.lock().unwrap().objects.get_mut(name).unwrap().modified = modified;
    }

    /// The number of requests with this method for names that end like this.
    #[must_use]
    pub fn requests(&self, method: &Method, suffix: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared.requests.iter().filter(|(used, name)| used == method && name.ends_with(suffix)).count()
    }
}

/// The environment variables with which a service uses the store at an endpoint.
#[must_use]
pub fn variables(endpoint: &str) -> Vec<(&'static str, String)> {
    let fixed =
        [("AWS_ALLOW_HTTP", "true"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
    fixed.into_iter().map(|(name, value)| (name, value.to_owned())).chain([("AWS_ENDPOINT", endpoint.to_owned())]).collect()
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn write(&mut self, name: &str, bytes: Bytes) -> u64 {
        self.versions += 1;
        self.objects.insert(name.into(), Object { bytes, version: self.versions, modified: SystemTime::now() });
        self.versions
    }
}

async fn respond(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let name = head.uri.path().strip_prefix(BUCKET).unwrap_or_default().to_owned();
    let query: BTreeMap<String, String> =
        head.uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(owned).collect();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let fault = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push((head.method.clone(), name.clone()));
        shared
            .fault
            .as_ref()
            .filter(|(_, method)| method.as_ref().is_none_or(|method| *method == head.method))
            .map(|(fault, _)| *fault)
    };
    match fault {
        Some(Fault::Status(status)) => return error(StatusCode::from_u16(status).unwrap()),
        Some(Fault::NoBucket) => return coded_error(StatusCode::NOT_FOUND, "NoSuchBucket"),
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Partial | Fault::Stall | Fault::OtherBytes) | None => {}
    }
    let response = answer(&mut shared.lock().unwrap(), &head.method, &name, &query, &head.headers, body);
    match fault {
        Some(Fault::Partial) => halved(response, false).await,
        Some(Fault::Stall) => halved(response, true).await,
        Some(Fault::OtherBytes) if name.ends_with(".dat") => changed(response).await,
        _ => response,
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.into(), value.into())
}

fn answer(
    shared: &mut Shared,
    method: &Method,
    name: &str,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let upload = query.get("uploadId").and_then(|number| number.parse::<u64>().ok());
    match (method.as_str(), upload) {
        ("GET", _) if query.contains_key("list-type") => list(shared, query.get("prefix").map_or("", String::as_str)),
        ("GET" | "HEAD", _) => match shared.objects.get(name) {
            Some(object) => found(object),
            None => error(StatusCode::NOT_FOUND),
        },
        ("POST", None) => {
            shared.versions += 1;
            shared.uploads.insert(shared.versions, BTreeMap::new());
            document(format!(
                "<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>",
                shared.versions
            ))
        }
        ("PUT", Some(upload)) => {
            let number: u64 = query["partNumber"].parse().unwrap();
            shared.uploads.get_mut(&upload).unwrap().insert(number, body);
            (StatusCode::OK, [(header::ETAG, "\"part\"")]).into_response()
        }
        ("POST", Some(upload)) => {
            let parts: Vec<_> = shared.uploads.remove(&upload).unwrap().into_values().collect();
            let version = shared.write(name, parts.concat().into());
            document(format!("<CompleteMultipartUploadResult><ETag>\"{version}\"</ETag></CompleteMultipartUploadResult>"))
        }
        ("PUT", None) => {
            let current = shared.objects.get(name).map(|object| format!("\"{}\"", object.version));
            let is_new_only = headers.contains_key(header::IF_NONE_MATCH);
            let expected = headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap());
            if is_new_only && current.is_some() || expected.is_some_and(|expected| Some(expected) != current.as_deref()) {
                return error(StatusCode::PRECONDITION_FAILED);
            }
            let version = shared.write(name, body);
            (StatusCode::OK, [(header::ETAG, format!("\"{version}\""))]).into_response()
        }
        ("DELETE", Some(upload)) => {
            shared.uploads.remove(&upload);
            StatusCode::NO_CONTENT.into_response()
        }
        ("DELETE", None) => {
            shared.objects.remove(name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(StatusCode::NOT_IMPLEMENTED),
    }
}

fn found(object: &Object) -> Response {
    let headers = [
        (header::ETAG, format!("\"{}\"", object.version)),
        (header::LAST_MODIFIED, DateTime::<Utc>::from(object.modified).to_rfc2822()),
        (header::CONTENT_LENGTH, object.bytes.len().to_string()),
    ];
    (StatusCode::OK, headers, object.bytes.clone()).into_response()
}

fn list(shared: &Shared, prefix: &str) -> Response {
    let prefix = percent_encoding::percent_decode_str(prefix).decode_utf8().unwrap();
    let entry = |(name, object): (&String, &Object)| {
        let modified = DateTime::<Utc>::from(object.modified).to_rfc3339();
        format!(
            "<Contents><Key>{name}</Key><LastModified>{modified}</LastModified><ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
            object.version,
            object.bytes.len()
        )
    };
    let objects = shared.objects.iter().filter(|(name, _)| name.starts_with(&*prefix));
    document(format!("<ListBucketResult>{}</ListBucketResult>", objects.map(entry).collect::<String>()))
}

fn document(body: String) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn error(status: StatusCode) -> Response {
    coded_error(status, &format!("Test{}", status.as_u16()))
}

fn coded_error(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code><Message>a fault of the test</Message></Error>")).into_response()
}

/// The response with half of its body. Then nothing more is sent or, unless it `stalls`, the connection is closed.
async fn halved(response: Response, stalls: bool) -> Response {
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let pieces = [Ok(bytes.slice(..bytes.len() / 2)), Err(io::Error::other("the response is cut off"))];
    let pieces = futures::stream::iter(pieces).then(move |piece| async move {
        // The first piece is flushed before the connection closes.
        tokio::task::yield_now().await;
        match piece {
            Err(_) if stalls => std::future::pending().await,
            piece => piece,
        }
    });
    let mut response = Response::from_parts(head, Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, (bytes.len().max(1)).into());
    response
}

/// The response with other bytes.
async fn changed(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Response::from_parts(head, Body::from(bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>()))
}
