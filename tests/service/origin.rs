//! Where the service downloads from: an HTTP server that does as it is told, and remembers what it was asked.

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
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An origin, until it is dropped.
pub struct Origin {
    address: SocketAddr,
    pages: Pages,
    server: JoinHandle<()>,
}

/// By path, with the query.
type Pages = Arc<Mutex<HashMap<String, Page>>>;

/// What is at a path.
#[derive(Clone)]
pub struct Page {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    announced: bool,
    broken_off: bool,
    gate: Option<Gate>,
    asked: usize,
}

impl Page {
    /// Media of a type.
    pub fn of(mimetype: &str, body: impl Into<Bytes>) -> Self {
        let (headers, body) = (Vec::new(), body.into());
        let page = Self { status: StatusCode::OK, headers, body, announced: true, broken_off: false, gate: None, asked: 0 };
        page.with("content-type", mimetype)
    }

    /// A few words and a status.
    pub fn status(status: u16) -> Self {
        Self { status: status.try_into().unwrap(), ..Self::of("text/plain", "this is not what you are looking for") }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body comes in chunks, and nobody says beforehand how long it is.
    pub fn in_chunks(self) -> Self {
        Self { announced: false, ..self }
    }

    /// The connection breaks in the middle of the body.
    pub fn broken_off(self) -> Self {
        Self { broken_off: true, ..self }
    }

    async fn answer(self) -> Response {
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        if self.announced {
            response = response.header(header::CONTENT_LENGTH, self.body.len());
        }
        let middle = self.body.len() / 2;
        let rest = if self.broken_off { Err(io::Error::other("it was told to")) } else { Ok(self.body.slice(middle..)) };
        let pieces = futures::stream::iter([Ok(self.body.slice(..middle)), rest]);
        // What was sent so far is to arrive before the end does.
        let pieces = pieces.then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        response.body(Body::from_stream(pieces)).unwrap()
    }
}

impl Origin {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages::default();
        let router = Router::new().fallback(answer).with_state(pages.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, pages, server }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on there is media at the path, whose URL is answered.
    pub fn serves(&self, path: &str, mimetype: &str, body: impl Into<Bytes>) -> String {
        self.answers(path, Page::of(mimetype, body))
    }

    /// From now on the path has this page.
    pub fn answers(&self, path: &str, page: Page) -> String {
        let asked = self.asked(path);
        self.pages.lock().unwrap().insert(path.into(), Page { asked, ..page });
        self.url(path)
    }

    /// From now on, requests for the path wait until the gate is opened. There has to be a page already.
    pub fn hold(&self, path: &str) -> Gate {
        let gate = Gate::new();
        self.pages.lock().unwrap().get_mut(path).unwrap().gate = Some(gate.clone());
        gate
    }

    /// How often the path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.pages.lock().unwrap().get(path).map_or(0, |page| page.asked)
    }

    /// How often anything was asked for.
    pub fn asked_in_all(&self) -> usize {
        self.pages.lock().unwrap().values().map(|page| page.asked).sum()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(pages): State<Pages>, uri: Uri) -> Response {
    let page = pages.lock().unwrap().get_mut(&uri.to_string()).map(|page| {
        page.asked += 1;
        page.clone()
    });
    page.unwrap_or_else(|| Page::status(404)).answer().await
}

/// Where requests wait.
#[derive(Clone)]
pub struct Gate {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    fn new() -> Self {
        Self { arrived: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// Waits until somebody waits at the gate.
    pub async fn reached(&self) {
        let mut arrived = self.arrived.subscribe();
        crate::process::soon(arrived.wait_for(|arrived| *arrived > 0)).await.unwrap();
    }

    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// An address at which nobody listens, and nobody can for as long as this is there.
pub struct NobodyHome(TcpSocket);

impl NobodyHome {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.local_addr().unwrap())
    }
}
