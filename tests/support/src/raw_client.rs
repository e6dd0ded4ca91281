//! A client that writes requests byte by byte and controls when it reads.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};

use crate::http_client::{ADMIN_TOKEN, media_path};
use crate::raw_http::read_head;
use crate::service_process::Service;
use crate::soon::soon;

/// The pause between two pieces of a slow transfer.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection to the service.
pub struct RawClient(TcpStream);

impl RawClient {
    /// Connects to a service.
    pub async fn connect(service: &Service) -> Self {
        Self::connect_to(service.address()).await
    }

    /// Connects to an address.
    pub async fn connect_to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connects from another loopback address.
    pub async fn connect_from(service: &Service, address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Self(socket.connect(service.address()).await.unwrap())
    }

    /// Connects with a small receive buffer, so that unread data blocks the sender.
    pub async fn connect_with_small_buffer(service: &Service) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self(socket.connect(service.address()).await.unwrap())
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a `GET` for a path.
    pub async fn send_get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }

    /// Sends the head of a `PUT` for a URL, with the administration token and the headers that frame its body.
    pub async fn send_put_head(&mut self, url: &str, framing: &str) {
        let path = media_path(url);
        self.send(format!("PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{framing}\r\n\r\n")).await;
    }

    /// Sends single bytes with pauses as long as the service accepts them. Returns everything that the service sends until the connection
    /// ends.
    pub async fn drip(&mut self) -> String {
        let (mut input, mut output) = self.0.split();
        let drip = async {
            let mut pauses = tokio::time::interval(PAUSE);
            while output.write_all(b"x").await.is_ok() {
                pauses.tick().await;
            }
            std::future::pending().await
        };
        let mut received = String::new();
        tokio::select! {
            // The connection may also be reset: only its end and the bytes received before it matter.
            _ = soon(input.read_to_string(&mut received)) => received,
            () = drip => received,
        }
    }

    /// Reads everything until the service closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        let mut received = Vec::new();
        soon(self.0.read_to_end(&mut received)).await.unwrap();
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Reads a number of bytes.
    pub async fn read_bytes(&mut self, count: usize) -> String {
        let mut received = vec![0; count];
        soon(self.0.read_exact(&mut received)).await.unwrap();
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Reads the next response, which must have a length.
    pub async fn read_response(&mut self) -> String {
        let head = soon(read_head(&mut self.0)).await.unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        soon(self.0.read_exact(&mut body)).await.unwrap();
        head + &String::from_utf8_lossy(&body)
    }

    /// Reads up to `size` bytes at a time with pauses until the connection ends. Returns how many bytes arrived, and whether the connection
    /// was closed rather than reset.
    pub async fn sip(&mut self, size: usize) -> (usize, bool) {
        let (mut pauses, mut piece, mut received) = (tokio::time::interval(PAUSE), vec![0; size], 0);
        loop {
            pauses.tick().await;
            match soon(self.0.read(&mut piece)).await {
                Ok(0) => return (received, true),
                Ok(count) => received += count,
                Err(_) => return (received, false),
            }
        }
    }

    /// Waits until the service closes or resets the connection. Returns what came before that.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        let _ = soon(self.0.read_to_end(&mut received)).await;
        received
    }

    /// Waits until the service resets the connection, whether or not anything was read.
    pub async fn until_reset(&self) {
        soon(self.0.ready(Interest::ERROR)).await.unwrap();
    }
}
