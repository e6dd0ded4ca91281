//! An origin that does what a script says, down to the byte, and remembers how often it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What an origin does about a request, one thing after the other. When it is done it waits for the next one on the same connection.
#[derive(Clone, Debug)]
pub enum Act {
    Send(Vec<u8>),
    /// What is sent next does not arrive together with what was sent before.
    Later,
    /// Sends the same until nobody takes it any more.
    Repeat(Vec<u8>),
    /// Sends a byte now and then until nobody takes it any more.
    Drip,
    /// Says nothing until the other side leaves.
    Stall,
    Close,
    Reset,
}

/// Sends text.
pub fn send(text: &str) -> Act {
    Act::Send(text.into())
}

/// An answer with a status, headers, and the length of its body.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Act {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Act::Send([head.as_bytes(), body].concat())
}

/// An origin, until it is dropped.
pub struct Scripted {
    address: SocketAddr,
    pages: Pages,
    server: JoinHandle<()>,
}

/// By path: the script, and how often it was asked for.
type Pages = Arc<Mutex<HashMap<String, (Vec<Act>, usize)>>>;

impl Scripted {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages::default();
        let served = pages.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        Self { address, pages, server }
    }

    /// From now on the path, whose URL is answered, is subject to this script.
    pub fn follows(&self, path: &str, script: &[Act]) -> String {
        let asked = self.asked(path);
        self.pages.lock().unwrap().insert(path.to_owned(), (script.to_vec(), asked));
        format!("http://{}{path}", self.address)
    }

    /// How often the path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.pages.lock().unwrap().get(path).map_or(0, |(_, asked)| *asked)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves one connection. The other side may leave whenever it likes, which ends it.
async fn serve(mut stream: TcpStream, pages: Pages) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let path = requested(&mut stream).await?;
        let script = pages.lock().unwrap().get_mut(&path).map(|(script, asked)| {
            *asked += 1;
            script.clone()
        });
        for act in script? {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Act::Later => tokio::time::sleep(Duration::from_millis(30)).await,
                Act::Repeat(bytes) => loop {
                    stream.write_all(&bytes).await.ok()?;
                },
                Act::Drip => {
                    let mut drops = tokio::time::interval(Duration::from_millis(100));
                    loop {
                        drops.tick().await;
                        stream.write_all(b"x").await.ok()?;
                    }
                }
                Act::Stall => loop {
                    stream.read_u8().await.ok()?;
                },
                Act::Close => return None,
                Act::Reset => {
                    stream.set_zero_linger().ok()?;
                    return None;
                }
            }
        }
    }
}

/// Reads a request, and finds out what it is for.
async fn requested(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().split(' ').nth(1)?.to_owned())
}
