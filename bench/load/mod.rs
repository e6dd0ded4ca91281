//! The clients that generate the load, and their origin.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use media_cache_test_support::http_client::media_path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::add;

/// The token with which slow clients may `PUT`.
pub const TOKEN: &str = "for-the-load-test-and-nothing-else";

/// The size of the media that the ordinary client requests, and of each new URL, in bytes.
pub const SMALL: u64 = 20 << 10;

/// The size of the media that slow readers request, in bytes.
pub const LARGE: u64 = 10 << 20;

/// The pause between two bytes.
const DRIP: Duration = Duration::from_secs(1);

/// How long a client of new URLs waits for a response.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the origin, on all addresses of the loopback interface. Hanging URLs and slow URLs have separate hosts.
pub async fn origin() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listener.local_addr()?.port());
    let router = Router::new().route("/{kind}/{name}", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(Path((kind, _)): Path<(String, String)>) -> Response {
    match kind.as_str() {
        "hanging" => std::future::pending().await,
        "slow" => tokio::time::sleep(DRIP).await,
        _ => {}
    }
    let (mimetype, length) = if kind == "large" { ("video/mp4", LARGE) } else { ("image/png", SMALL) };
    ([(header::CONTENT_TYPE, mimetype)], vec![b'x'; length as usize]).into_response()
}

/// All clients except the ordinary one.
pub struct Load {
    origin: SocketAddr,
    service: SocketAddr,
    large: String,
    next: AtomicU64,
    answers: Mutex<BTreeMap<String, u64>>,
    /// Slow clients that the service disconnected.
    pub closed: AtomicU64,
}

impl Load {
    pub fn new(origin: SocketAddr, service: SocketAddr, large: String) -> Self {
        Self { origin, service, large, next: AtomicU64::new(0), answers: Mutex::default(), closed: AtomicU64::new(0) }
    }

    /// Starts all clients.
    pub async fn start(self: Arc<Self>, slow: u64, fresh: u64) {
        // Nothing here is encrypted, but the client needs a TLS provider, which is set once per process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        for number in 0..slow {
            tokio::spawn(self.clone().be_slow(number % 4));
        }
        for _ in 0..fresh {
            tokio::spawn(self.clone().request_new_urls());
        }
    }

    /// The number of URLs that were requested.
    pub fn requested(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// How often each outcome occurred for new URLs.
    pub fn answers(&self) -> String {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect::<Vec<_>>().join(", ")
    }

    async fn be_slow(self: Arc<Self>, kind: u64) {
        loop {
            // Reconnects, regardless of why the connection ended.
            let _ = self.dawdle(kind).await;
            add(&self.closed);
            tokio::time::sleep(DRIP).await;
        }
    }

    /// Connects, and stays slow until the service closes the connection.
    async fn dawdle(&self, kind: u64) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 << 10)?;
        let mut stream = socket.connect(self.service).await?;
        match kind {
            0 => stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Drip: ").await?,
            1 => {
                let path = media_path(&format!("http://{}/put/film.mp4", self.origin));
                let rights = format!("Authorization: Bearer {TOKEN}");
                let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\n{rights}\r\nContent-Length: 1000000\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
            }
            2 => {
                stream.write_all(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", self.large).as_bytes()).await?;
                return sip(stream).await;
            }
            _ => return until_closed(&mut stream).await,
        }
        let (mut input, mut output) = stream.split();
        let drip = async {
            loop {
                output.write_all(b"x").await?;
                tokio::time::sleep(DRIP).await;
            }
        };
        tokio::select! {
            closed = until_closed(&mut input) => closed,
            failed = drip => failed,
        }
    }

    async fn request_new_urls(self: Arc<Self>) {
        let client = reqwest::Client::builder().no_proxy().build();
        let Ok(client) = client else { return };
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let (kind, host) = match number % 10 {
                0 => ("hanging", "127.0.0.3"),
                1 | 2 => ("slow", "127.0.0.2"),
                _ => ("fast", "127.0.0.1"),
            };
            let path = media_path(&format!("http://{host}:{}/{kind}/{number}.png", self.origin.port()));
            let asking = async {
                let answer = client.get(format!("http://{}{path}", self.service)).send().await?;
                let status = answer.status();
                answer.bytes().await.map(|_| status)
            };
            let answer = match tokio::time::timeout(PATIENCE, asking).await {
                Ok(Ok(status)) => status.as_u16().to_string(),
                Ok(Err(_)) => "broken".into(),
                Err(_) => "abandoned".into(),
            };
            *self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(answer).or_default() += 1;
        }
    }
}

/// Reads a few bytes at a time, with pauses.
async fn sip(mut stream: TcpStream) -> std::io::Result<()> {
    let mut sip = [0; 256];
    while stream.read(&mut sip).await? > 0 {
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<()> {
    let mut some = [0; 256];
    while stream.read(&mut some).await? > 0 {}
    Ok(())
}
