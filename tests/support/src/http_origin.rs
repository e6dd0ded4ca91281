//! An HTTP origin for the service: it serves scripted pages and counts requests.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use http::{StatusCode, Uri, header};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use crate::latch::Latch;

/// An origin, which stops when it is dropped.
pub struct HttpOrigin {
    address: SocketAddr,
    pages: Pages,
    server: JoinHandle<()>,
}

/// The pages by path and query.
type Pages = Arc<Mutex<HashMap<String, Page>>>;

/// What the origin serves at a path.
#[derive(Clone)]
pub struct Page {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    has_length: bool,
    truncated: bool,
    latch: Option<Latch>,
    requests: usize,
}

impl Page {
    /// Media of a type.
    pub fn of(mimetype: &str, body: impl Into<Bytes>) -> Self {
        let (headers, body) = (Vec::new(), body.into());
        let page = Self { status: StatusCode::OK, headers, body, has_length: true, truncated: false, latch: None, requests: 0 };
        page.with_header("content-type", mimetype)
    }

    /// A short text with a status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: status.try_into().unwrap(), ..Self::of("text/plain", "a page without media") }
    }

    /// The page with another header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The page with another body.
    #[must_use]
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The page with its body in chunks and without a length.
    #[must_use]
    pub fn chunked(self) -> Self {
        Self { has_length: false, ..self }
    }

    /// The page, but the connection closes in the middle of the body.
    #[must_use]
    pub fn truncated(self) -> Self {
        Self { truncated: true, ..self }
    }

    async fn respond(self) -> Response {
        if let Some(latch) = &self.latch {
            latch.pass().await;
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        if self.has_length {
            response = response.header(header::CONTENT_LENGTH, self.body.len());
        }
        if !self.truncated {
            // Sent in one piece, which also arrives in one piece unless it is large.
            let whole = futures::stream::iter([Ok::<_, io::Error>(self.body)]);
            return response.body(Body::from_stream(whole)).unwrap();
        }
        let middle = self.body.len() / 2;
        let pieces = [Ok(self.body.slice(..middle)), Err(io::Error::other("the page is truncated"))];
        let pieces = futures::stream::iter(pieces);
        // The first piece is flushed before the connection closes.
        let pieces = pieces.then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        response.body(Body::from_stream(pieces)).unwrap()
    }
}

impl HttpOrigin {
    /// Starts an origin on a free port.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// Starts an origin on a free port of another loopback address.
    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages::default();
        let router = Router::new().fallback(respond).with_state(pages.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, pages, server }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves media at a path, and returns its URL.
    pub fn serves(&self, path: &str, mimetype: &str, body: impl Into<Bytes>) -> String {
        self.answers(path, Page::of(mimetype, body))
    }

    /// Serves a page at a path, and returns its URL.
    pub fn answers(&self, path: &str, page: Page) -> String {
        let requests = self.requests(path);
        self.pages.lock().unwrap().insert(path.into(), Page { requests, ..page });
        self.url(path)
    }

    /// Holds requests for a path, which must have a page, until the latch is opened.
    #[must_use]
    pub fn hold(&self, path: &str) -> Latch {
        let latch = Latch::closed();
        self.pages.lock().unwrap().get_mut(path).unwrap().latch = Some(latch.clone());
        latch
    }

    /// The number of requests for a path.
    #[must_use]
    pub fn requests(&self, path: &str) -> usize {
        self.pages.lock().unwrap().get(path).map_or(0, |page| page.requests)
    }

    /// The number of requests for all paths that have a page.
    #[must_use]
    pub fn total_requests(&self) -> usize {
        self.pages.lock().unwrap().values().map(|page| page.requests).sum()
    }
}

impl Drop for HttpOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn respond(State(pages): State<Pages>, uri: Uri) -> Response {
    let page = pages.lock().unwrap().get_mut(&uri.to_string()).map(|page| {
        page.requests += 1;
        page.clone()
    });
    page.unwrap_or_else(|| Page::status(404)).respond().await
}

/// A port without a listener, reserved until it is dropped.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Reserves a free port.
    #[must_use]
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    /// The URL of a path at the port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.local_addr().unwrap())
    }
}
