//! An origin that redirects.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::raw_http::{read_head, request_target};

/// An origin that redirects `/302/x` to `x`, which is percent-encoded, and serves `here` at all other paths. It stops when it is dropped.
pub struct RedirectingOrigin {
    address: SocketAddr,
    requests: UnboundedReceiver<()>,
    server: JoinHandle<()>,
}

impl RedirectingOrigin {
    /// Starts an origin on a free port of an address.
    pub async fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let (sender, requests) = unbounded_channel();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = read_head(&mut stream).await else { continue };
                let _ = sender.send(());
                let _ = stream.write_all(response(request_target(&head)).as_bytes()).await;
            }
        });
        Self { address, requests, server }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL at this origin that redirects to a location.
    #[must_use]
    pub fn redirect_to(&self, status: u16, location: &str) -> String {
        format!("http://{}/{status}/{}", self.address, utf8_percent_encode(location, NON_ALPHANUMERIC))
    }

    /// The number of requests since the last call.
    pub fn new_requests(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

fn response(target: &str) -> String {
    match target.split('/').collect::<Vec<_>>()[..] {
        ["", status @ ("301" | "302" | "303" | "307" | "308"), location] => {
            let location = percent_decode_str(location).decode_utf8().unwrap();
            format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        _ => "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere".into(),
    }
}

impl Drop for RedirectingOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}
