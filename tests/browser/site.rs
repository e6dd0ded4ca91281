//! A web site with the service behind one of its paths, as behind a reverse proxy.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{CONNECTION, HOST, RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Uri};
use media_cache_test_support::http_client::http_client;
use media_cache_test_support::service_process::Service;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Request headers that older browsers do not send, and that no browser sends over HTTP without TLS.
const FETCH_METADATA: [&str; 5] = ["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "service-worker"];

/// A site, which stops when it is dropped.
pub struct Site {
    address: SocketAddr,
    contents: Arc<Contents>,
    server: JoinHandle<()>,
}

/// The contents of a site, and the keys of media that was executed.
struct Contents {
    client: reqwest::Client,
    service: SocketAddr,
    passes_fetch_metadata: bool,
    files: Mutex<HashMap<String, (String, Bytes)>>,
    runs: watch::Sender<HashSet<String>>,
    range_starts: Mutex<Vec<u64>>,
}

impl Site {
    /// Starts a site in front of a service on a free port.
    pub async fn start(service: &Service) -> Self {
        Self::start_with(service, true).await
    }

    /// Starts a site that removes fetch metadata from requests, like a browser that sends none.
    pub async fn start_without_fetch_metadata(service: &Service) -> Self {
        Self::start_with(service, false).await
    }

    async fn start_with(service: &Service, passes_fetch_metadata: bool) -> Self {
        let contents = Arc::new(Contents {
            client: http_client(),
            service: service.address(),
            passes_fetch_metadata,
            files: Mutex::default(),
            runs: watch::Sender::default(),
            range_starts: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/page", any(page))
            .route("/plain/{*path}", any(file))
            .route("/ran/{*key}", any(ran))
            .route("/awaited/{*key}", any(awaited))
            .route("/styled", any(styled))
            .route("/media", any(forward))
            .with_state(contents.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, contents, server }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path on another origin, and another site, with the same contents.
    pub fn foreign_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// Serves a file with a type and without restrictions, and returns its path.
    pub fn serves(&self, name: &str, mimetype: &str, body: impl Into<Bytes>) -> String {
        let path = format!("/plain/{name}");
        self.contents.files.lock().unwrap().insert(path.clone(), (mimetype.to_owned(), body.into()));
        path
    }

    /// Whether media with this key was executed: it then requests `/ran/` followed by the key.
    pub fn ran(&self, key: &str) -> bool {
        self.contents.runs.borrow().contains(key)
    }

    /// The starts of the ranges requested from the service since the last call.
    pub fn take_range_starts(&self) -> Vec<u64> {
        std::mem::take(&mut *self.contents.range_starts.lock().unwrap())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An empty page with the headers in its query.
async fn page(uri: Uri) -> Response {
    let mut response = Response::builder().header("content-type", "text/html");
    let headers = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    for (name, value) in headers {
        response = response.header(&*name, &*value);
    }
    response.body("<!doctype html><title>A page</title><body>".into()).unwrap()
}

/// An XML document whose style sheet is given in the query.
async fn styled(uri: Uri) -> impl IntoResponse {
    let style_sheet = uri.query().unwrap_or_default().replace('&', "&amp;");
    let document = format!("<?xml version=\"1.0\"?><?xml-stylesheet type=\"text/xsl\" href=\"{style_sheet}\"?><a/>");
    ([("content-type", "application/xml")], document)
}

/// A file that any origin may read.
async fn file(State(contents): State<Arc<Contents>>, uri: Uri) -> Response {
    let file = contents.files.lock().unwrap().get(uri.path()).cloned();
    let Some((mimetype, body)) = file else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        ("content-type", &*mimetype),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("service-worker-allowed", "/"),
    ];
    (headers, body).into_response()
}

/// Records that media was executed.
async fn ran(State(contents): State<Arc<Contents>>, uri: Uri) -> impl IntoResponse {
    contents.runs.send_if_modified(|runs| runs.insert(uri.path().trim_start_matches("/ran/").to_owned()));
    [("access-control-allow-origin", "*")]
}

/// Waits until media has been executed.
async fn awaited(State(contents): State<Arc<Contents>>, uri: Uri) {
    let key = uri.path().trim_start_matches("/awaited/");
    let _ = contents.runs.subscribe().wait_for(|runs| runs.contains(key)).await;
}

/// Forwards a request without a body to the service.
async fn forward(State(contents): State<Arc<Contents>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let mut headers = without_connection(head.headers);
    if !contents.passes_fetch_metadata {
        FETCH_METADATA.iter().for_each(|name| drop(headers.remove(*name)));
    }
    contents.range_starts.lock().unwrap().extend(range_start(&headers));
    let url = format!("http://{}{}", contents.service, head.uri);
    let answer = contents.client.request(head.method, url).headers(headers).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = without_connection(answer.headers().clone());
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

/// The headers without those that apply only to a single connection.
fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// The first byte of the requested range.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}
