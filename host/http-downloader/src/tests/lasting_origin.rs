//! Origins that keep their connections open, and downloaders that reuse them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

use crate::http_downloader::HttpDownloader;
use crate::options::HttpOptions;
use crate::origin_connections::{OriginConnectionCounts, OriginConnections};
use crate::tests::origin::allowing_loopback;
use media_cache_interfaces::{Downloader, FetchError};

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// An event at an origin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A request for this path, over the connection with this number.
    Request(usize, String),
    /// The client closed the connection with this number.
    Closed(usize),
}

pub(crate) fn request(connection: usize, path: &str) -> Seen {
    Seen::Request(connection, path.into())
}

/// A downloader with its connections.
pub(crate) struct Client {
    pub(crate) downloader: HttpDownloader,
    pub(crate) connections: OriginConnections,
}

impl Client {
    pub(crate) fn new(options: HttpOptions) -> Self {
        let connections = options.origin_connections.clone();
        Self { downloader: HttpDownloader::new(allowing_loopback(options)).unwrap(), connections }
    }

    pub(crate) async fn fetch(&self, url: String) -> Result<String, FetchError> {
        let media = self.downloader.fetch(&url).await?;
        Ok(String::from_utf8_lossy(media.body.in_memory().unwrap()).into_owned())
    }

    /// Waits until this many connections are idle.
    pub(crate) async fn idle(&self, count: usize) {
        let idle = async {
            while self.connections.counts().idle != count {
                tokio::task::yield_now().await;
            }
        };
        let current = || self.connections.counts().idle;
        timeout(LONG, idle).await.unwrap_or_else(|_| panic!("{} connections are idle instead of {count}", current()));
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        let OriginConnectionCounts { reused, retried, .. } = self.connections.counts();
        (reused, retried)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new(lasting())
    }
}

/// Options with connections that stay idle for longer than any test runs.
pub(crate) fn lasting() -> HttpOptions {
    let origin_connections = OriginConnections::with_keep_idle(Duration::from_secs(3600));
    HttpOptions { origin_connections, ..HttpOptions::default() }
}

/// The path of the next request on a connection; `None` if the client has closed the connection.
pub(crate) async fn next_path(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().into())
}

/// Serves a connection. For each path, `answer` returns the bytes to send, and whether to close the connection after them.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    number: usize,
    answer: impl Fn(usize, &str) -> (String, bool),
    seen: mpsc::UnboundedSender<Seen>,
) {
    while let Some(path) = next_path(&mut stream).await {
        let (bytes, closes) = answer(number, &path);
        let _ = seen.send(Seen::Request(number, path));
        if stream.write_all(bytes.as_bytes()).await.is_err() || closes {
            return;
        }
    }
    let _ = seen.send(Seen::Closed(number));
}

/// Starts an origin on this address that responds as `answer` specifies. Returns its address and its events.
pub(crate) async fn start_on(
    address: &str,
    answer: impl Fn(usize, &str) -> (String, bool) + Clone + Send + 'static,
) -> (String, UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, sees) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number, answer.clone(), seen.clone()));
        }
    });
    (address, sees)
}

pub(crate) async fn start(
    answer: impl Fn(usize, &str) -> (String, bool) + Clone + Send + 'static,
) -> (String, UnboundedReceiver<Seen>) {
    start_on("127.0.0.1:0", answer).await
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The body of each response is the requested path.
pub(crate) fn echo(_: usize, path: &str) -> (String, bool) {
    (ok(path), false)
}
