//! An origin that immediately sends whatever bytes a test passes to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::raw_http::read_head;
use crate::service_process::Service;
use crate::soon::soon;

/// Bytes to send. `None` ends the connection.
type Fed = Option<Vec<u8>>;

/// An origin, which stops when it is dropped. It serves one connection at a time.
pub struct FedOrigin {
    address: SocketAddr,
    feed: mpsc::UnboundedSender<Fed>,
    requests: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl FedOrigin {
    /// Starts an origin on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (feed, fed) = mpsc::unbounded_channel();
        let (fed, requests) = (Arc::new(Mutex::new(fed)), Arc::<AtomicUsize>::default());
        let counted = requests.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (fed, counted) = (fed.clone(), counted.clone());
                tokio::spawn(async move { serve(stream, &fed, &counted).await });
            }
        });
        Self { address, feed, requests, server }
    }

    /// The URL of a path. The response does not depend on the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends the head of a response. Without a length, the body ends with the connection.
    pub fn send_head(&self, mimetype: &str, length: Option<usize>) {
        let length = length.map_or_else(String::new, |length| format!("Content-Length: {length}\r\n"));
        self.send(format!("HTTP/1.1 200 OK\r\nContent-Type: {mimetype}\r\n{length}Connection: close\r\n\r\n"));
    }

    /// Sends bytes.
    pub fn send(&self, bytes: impl Into<Vec<u8>>) {
        self.feed.send(Some(bytes.into())).unwrap();
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.feed.send(None).unwrap();
    }

    /// Serves media to a client of a service, without its last byte, and waits until the response has ended early.
    pub async fn cut_off(&self, service: &Service, mimetype: &str, media: &[u8]) {
        self.send_head(mimetype, Some(media.len() + 1));
        self.send(media);
        let response = soon(service.media_request(Method::GET, &self.url("/a.png")).send()).await.unwrap();
        self.close();
        assert!(soon(response.bytes()).await.is_err());
    }

    /// The number of requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for FedOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves one request. A client that disconnects receives no more.
async fn serve(mut stream: TcpStream, fed: &Mutex<mpsc::UnboundedReceiver<Fed>>, requests: &AtomicUsize) -> Option<()> {
    read_head(&mut stream).await?;
    requests.fetch_add(1, Ordering::Relaxed);
    let mut fed = fed.lock().await;
    while let Some(bytes) = fed.recv().await? {
        stream.write_all(&bytes).await.ok()?;
    }
    Some(())
}
