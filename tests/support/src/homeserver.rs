//! A Matrix homeserver that chooses its responses by media ID.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::raw_http::{read_head, request_target};

/// The access token.
pub const TOKEN: &str = "syt_secret";

/// A homeserver, which stops when it is dropped.
pub struct TestHomeserver {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl TestHomeserver {
    /// Starts a homeserver on a free port of an address.
    pub async fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let received = heads.clone();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = read_head(&mut stream).await else { continue };
                let head = head.to_ascii_lowercase();
                let response = response(request_target(&head), address.port());
                received.lock().unwrap().push(head);
                let _ = stream.write_all(response.as_bytes()).await;
            }
        });
        Self { address, heads, server }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The targets of the requests since the last call, and whether each request had the token.
    pub fn new_requests(&self) -> Vec<(String, bool)> {
        let heads = std::mem::take(&mut *self.heads.lock().unwrap());
        let has_token = |head: &String| head.contains(&format!("authorization: bearer {TOKEN}\r\n"));
        assert!(heads.iter().all(|head| has_token(head) || !head.contains("authorization")), "{heads:?}");
        heads.iter().map(|head| (request_target(head).to_owned(), has_token(head))).collect()
    }
}

fn response(target: &str, port: u16) -> String {
    let (status, headers) = match target.rsplit('/').next().unwrap() {
        "lost" => ("404 Not Found", String::new()),
        "unknown" => ("401 Unauthorized", String::new()),
        "forbidden" => ("403 Forbidden", String::new()),
        "elsewhere" => ("307 Go", format!("Location: http://127.88.0.2:{port}/there\r\n")),
        "itself" => ("308 Go", "Location: /there\r\n".to_owned()),
        "inside" => ("307 Go", "Location: http://10.0.0.1/there\r\n".to_owned()),
        _ => ("200 OK", "Content-Type: image/png\r\n".to_owned()),
    };
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 5\r\nConnection: close\r\n\r\nmedia")
}

impl Drop for TestHomeserver {
    fn drop(&mut self) {
        self.server.abort();
    }
}
