//! A client that writes its requests byte by byte, and reads when it likes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{ADMIN_TOKEN, media_of};
use crate::process::{Service, soon};

/// From one piece to the next, for a client that dawdles.
const PACE: Duration = Duration::from_millis(20);

/// A connection to the service.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(service: &Service) -> Self {
        Self(TcpStream::connect(service.address()).await.unwrap())
    }

    /// One from another address of the loopback interface.
    pub async fn connect_from(service: &Service, address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Self(socket.connect(service.address()).await.unwrap())
    }

    /// One whose system has little room for what is not read.
    pub async fn connect_with_little_room(service: &Service) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self(socket.connect(service.address()).await.unwrap())
    }

    /// Sends bytes, all of them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a `GET`.
    pub async fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }

    /// Sends the head of a `PUT` for a URL, with the headers that say how long its body is.
    pub async fn begin_to_put(&mut self, url: &str, framing: &str) {
        let rights = format!("Authorization: Bearer {ADMIN_TOKEN}");
        self.send(format!("PUT {} HTTP/1.1\r\nHost: x\r\n{rights}\r\n{framing}\r\n\r\n", media_of(url))).await;
    }

    /// Sends a byte now and then for as long as the service takes it, and receives what it says until it closes.
    pub async fn drip(&mut self) -> String {
        let (mut input, mut output) = self.0.split();
        let drip = async {
            let mut drops = tokio::time::interval(PACE);
            while output.write_all(b"x").await.is_ok() {
                drops.tick().await;
            }
            std::future::pending().await
        };
        let mut said = String::new();
        tokio::select! {
            // It may be reset; what counts is that it ends, and what was said before.
            _ = soon(input.read_to_string(&mut said)) => said,
            () = drip => said,
        }
    }

    /// All that comes until the service closes.
    pub async fn rest(&mut self) -> String {
        let mut said = Vec::new();
        soon(self.0.read_to_end(&mut said)).await.unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The first so many bytes that come.
    pub async fn start(&mut self, count: usize) -> String {
        let mut said = vec![0; count];
        soon(self.0.read_exact(&mut said)).await.unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The next answer, of which the head says how long it is.
    pub async fn answer(&mut self) -> String {
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            said.push(soon(self.0.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(said).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        soon(self.0.read_exact(&mut body)).await.unwrap();
        head + &String::from_utf8_lossy(&body)
    }

    /// Takes up to `size` bytes now and then, until there are no more. Says how many came, and whether the end was a proper one.
    pub async fn sip(&mut self, size: usize) -> (usize, bool) {
        let (mut sips, mut sip, mut taken) = (tokio::time::interval(PACE), vec![0; size], 0);
        loop {
            sips.tick().await;
            match soon(self.0.read(&mut sip)).await {
                Ok(0) => return (taken, true),
                Ok(count) => taken += count,
                Err(_) => return (taken, false),
            }
        }
    }

    /// Comes back when the service has reset the connection, whether or not anything was read.
    pub async fn until_reset(&self) {
        soon(self.0.ready(Interest::ERROR)).await.unwrap();
    }
}
