//! Origins that follow a script, and downloads from them. Every origin has its own port and stops with the runtime of its test.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::access_rules::AccessRules;
use crate::http_downloader::HttpDownloader;
use crate::options::HttpOptions;
use media_cache_interfaces::{Downloader, FetchError, FetchedMedia};

pub(crate) const OK_HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
/// A timeout short enough for tests to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// Starts an origin that passes the connection and the head of each request to `handle`. Returns its address.
pub(crate) async fn start_origin<F, Fut>(handle: F) -> String
where
    F: Fn(TcpStream, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                if let Some(head) = next_head(&mut stream).await {
                    handle(stream, head).await;
                }
            });
        }
    });
    address
}

/// Reads the head of a request; `None` if the client disconnects.
pub(crate) async fn next_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Starts an origin that responds to every request with these bytes and closes the connection. Returns a URL.
pub(crate) async fn origin_sending(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let address = start_origin(move |stream, _| send(stream, bytes.clone())).await;
    format!("http://{address}/a/photo?token=secret")
}

/// Starts an origin that responds to every request with these bytes and waits until the client disconnects. Returns a URL.
pub(crate) async fn origin_stalling_after(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let answer = move |mut stream: TcpStream, _| {
        let bytes = bytes.clone();
        async move {
            stream.write_all(&bytes).await.unwrap();
            while stream.read_u8().await.is_ok() {}
        }
    };
    format!("http://{}/a/photo?token=secret", start_origin(answer).await)
}

pub(crate) async fn send(mut stream: TcpStream, bytes: Vec<u8>) {
    // The downloader may disconnect before it has read everything.
    let _ = stream.write_all(&bytes).await;
}

/// A response with this body.
pub(crate) fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("{OK_HEAD}{headers}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// These options, with access to loopback addresses.
pub(crate) fn allowing_loopback(options: HttpOptions) -> HttpOptions {
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    HttpOptions { access: AccessRules { allow_addresses, ..options.access }, ..options }
}

/// Downloads the whole body.
pub(crate) async fn fetch(url: &str, options: HttpOptions) -> Result<FetchedMedia, FetchError> {
    let result = match HttpDownloader::new(allowing_loopback(options)).unwrap().fetch(url).await {
        Ok(media) => media.body.finished().await.map(|()| media),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    result
}

pub(crate) async fn failure(url: &str, options: HttpOptions) -> FetchError {
    fetch(url, options).await.map(|media| media.filename).unwrap_err()
}

pub(crate) async fn expect_broken(url: String, because: &str) {
    match failure(&url, HttpOptions::default()).await {
        error if error.to_string().contains(because) => {}
        other => panic!("not broken because of {because}: {other:?}"),
    }
}

pub(crate) async fn expect_timeout(url: &str, options: HttpOptions, phase: &str) {
    match failure(url, options).await {
        FetchError::TimedOut(reason) if reason.contains(phase) => {}
        other => panic!("no timeout with the reason {phase}: {other:?}"),
    }
}
