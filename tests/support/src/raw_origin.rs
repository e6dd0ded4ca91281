//! An origin that follows a script byte by byte and counts requests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::raw_http::{read_head, request_target};

/// One step of a script. After the last step, the origin reads the next request on the same connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Pauses, so that the bytes before and after the pause arrive separately.
    Pause,
    /// Sends the same bytes until the other side stops reading.
    Repeat(Vec<u8>),
    /// Sends single bytes with pauses until the other side stops reading.
    Drip,
    /// Sends nothing until the other side closes the connection.
    Stall,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// A step that sends text.
#[must_use]
pub fn send_text(text: &str) -> Step {
    Step::Send(text.into())
}

/// A step that sends a response with a status, headers, and the length of its body.
#[must_use]
pub fn send_response(status: &str, headers: &str, body: &[u8]) -> Step {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Step::Send([head.as_bytes(), body].concat())
}

/// An origin, which stops when it is dropped.
pub struct RawOrigin {
    address: SocketAddr,
    pages: Pages,
    server: JoinHandle<()>,
}

/// The script and the number of requests for each path.
type Pages = Arc<Mutex<HashMap<String, (Vec<Step>, usize)>>>;

impl RawOrigin {
    /// Starts an origin on a free port.
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

    /// Makes the origin follow a script for a path, and returns the URL.
    pub fn follows(&self, path: &str, script: &[Step]) -> String {
        let requests = self.requests(path);
        self.pages.lock().unwrap().insert(path.to_owned(), (script.to_vec(), requests));
        format!("http://{}{path}", self.address)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The number of requests for a path.
    #[must_use]
    pub fn requests(&self, path: &str) -> usize {
        self.pages.lock().unwrap().get(path).map_or(0, |(_, requests)| *requests)
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves one connection, until either side closes it.
async fn serve(mut stream: TcpStream, pages: Pages) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let head = read_head(&mut stream).await?;
        let script = pages.lock().unwrap().get_mut(request_target(&head)).map(|(script, requests)| {
            *requests += 1;
            script.clone()
        });
        for step in script? {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Step::Pause => tokio::time::sleep(Duration::from_millis(30)).await,
                Step::Repeat(bytes) => loop {
                    stream.write_all(&bytes).await.ok()?;
                },
                Step::Drip => {
                    let mut pauses = tokio::time::interval(Duration::from_millis(100));
                    loop {
                        pauses.tick().await;
                        stream.write_all(b"x").await.ok()?;
                    }
                }
                Step::Stall => loop {
                    stream.read_u8().await.ok()?;
                },
                Step::Close => return None,
                Step::Reset => {
                    stream.set_zero_linger().ok()?;
                    return None;
                }
            }
        }
    }
}
