//! HTTP/1 responses that do not end where their headers say, or that are not HTTP.

use std::time::Duration;

use futures::future::join;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::http_downloader::HttpDownloader;
use crate::options::{HttpOptions, ReuseOriginConnections};
use crate::tests::origin::{allowing_loopback, failure, fetch, origin_sending, origin_stalling_after, send, start_origin};
use media_cache_interfaces::{Downloader, FetchError};

/// The time between two pieces of a response.
const INTERVAL: Duration = Duration::from_millis(20);

/// Starts an origin that answers every request with these pieces, one after the other, and waits until the client disconnects. Returns
/// a URL.
async fn origin_sending_pieces(pieces: &'static [&'static str]) -> String {
    let answer = move |mut stream: TcpStream, _| async move {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                tokio::time::sleep(INTERVAL).await;
            }
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
        while stream.read_u8().await.is_ok() {}
    };
    format!("http://{}/a/photo?token=secret", start_origin(answer).await)
}

async fn expect_surplus(pieces: &'static [&'static str]) {
    let error = failure(&origin_sending_pieces(pieces).await, HttpOptions::default()).await;
    assert!(matches!(error, FetchError::OverlongBody(_)), "{pieces:?}: {error:?}");
}

async fn expect_invalid(answer: impl Into<Vec<u8>>, because: &str) {
    match failure(&origin_stalling_after(answer).await, HttpOptions::default()).await {
        FetchError::BrokenAnswer(reason) if reason.contains(because) => {}
        other => panic!("not invalid because of {because}: {other:?}"),
    }
}

#[tokio::test]
async fn body_with_identity_transfer_coding_ends_at_its_declared_length() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n";
    let url = origin_stalling_after(format!("{head}Content-Length: 4\r\n\r\nbody")).await;
    assert_eq!(fetch(&url, HttpOptions::default()).await.unwrap().body.len(), 4);
    let url = origin_sending(format!("{head}\r\nbody")).await;
    assert_eq!(fetch(&url, HttpOptions::default()).await.unwrap().body.len(), 4);
    let url = origin_sending(format!("{head}Content-Length: 5\r\n\r\nbody")).await;
    assert!(matches!(failure(&url, HttpOptions::default()).await, FetchError::ShortBody(_)));
    expect_surplus(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nbod", "y!"]).await;
}

#[tokio::test]
async fn body_with_a_malformed_chunked_coding_is_an_error() {
    for codings in ["chunked,", "chunked, identity"] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        let error = failure(&origin_sending(answer).await, HttpOptions::default()).await;
        assert!(matches!(error, FetchError::EncodedBody(_)), "{codings}: {error:?}");
    }
}

#[tokio::test]
async fn extra_bytes_after_the_body_are_an_error() {
    expect_surplus(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\nContent-Length: 4\n\nbody!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody!"]).await;
    expect_surplus(&["HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_surplus(&["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "body!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod", "y!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n!"]).await;
    expect_surplus(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "0\r\nA: b\r\n\r\n!"]).await;
}

#[tokio::test]
async fn extra_byte_after_a_large_body_is_an_error() {
    // Larger than every buffer.
    let body = "x".repeat(3 << 20);
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(fetch(&origin_stalling_after(answer.clone()).await, HttpOptions::default()).await.is_ok());
    answer.push('!');
    let mut first = answer.clone();
    let rest = first.split_off(answer.len() - 2);
    let address = start_origin(move |mut stream, _| {
        let (first, rest) = (first.clone(), rest.clone());
        async move {
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.write_all(rest.as_bytes()).await.unwrap();
            while stream.read_u8().await.is_ok() {}
        }
    })
    .await;
    let error = failure(&format!("http://{address}/"), HttpOptions::default()).await;
    assert!(matches!(error, FetchError::OverlongBody(_)), "{error:?}");
}

#[tokio::test]
async fn trailers_are_ignored() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nExpires: never\r\n\r\n";
    let media = fetch(&origin_stalling_after(chunked).await, HttpOptions::default()).await.unwrap();
    assert_eq!(media.body.in_memory().unwrap(), "body");
}

#[tokio::test]
async fn late_extra_bytes_are_not_taken_for_the_next_response_if_connections_are_not_reused() {
    let (trigger, triggered) = watch::channel(false);
    let (sent, mut has_sent) = mpsc::unbounded_channel();
    let address = start_origin(move |mut stream, head: String| {
        let (mut triggered, sent) = (triggered.clone(), sent.clone());
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
            if head.starts_with("GET /two") {
                return;
            }
            triggered.wait_for(|triggered| *triggered).await.unwrap();
            send(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".into()).await;
            sent.send(()).unwrap();
        }
    })
    .await;
    let options = HttpOptions { reuse_origin_connections: ReuseOriginConnections::Never, ..HttpOptions::default() };
    let downloader = HttpDownloader::new(allowing_loopback(options)).unwrap();
    let fetched = async |path: &str| downloader.fetch(&format!("http://{address}{path}")).await.unwrap();
    assert_eq!(fetched("/one").await.body.in_memory().unwrap(), "body");
    // Sent while the next request is in progress.
    let late = async {
        trigger.send(true).unwrap();
        has_sent.recv().await.unwrap();
    };
    let (next, ()) = join(fetched("/two"), late).await;
    assert_eq!(next.body.in_memory().unwrap(), "body");
}

#[tokio::test]
async fn invalid_http_and_oversized_head_are_errors() {
    expect_invalid("220 mail.example.org ESMTP\r\n", "HTTP").await;
    expect_invalid("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", "header").await;
    expect_invalid("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody", "content-length").await;
    expect_invalid("HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nbody", "content-length").await;
    expect_invalid(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "both a content-length and chunks",
    )
    .await;
    expect_invalid("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmore\r\nbody\r\n0\r\n\r\n", "chunk size").await;
    let extensions = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;{}\r\nbody\r\n0\r\n\r\n", "x".repeat(100_000));
    expect_invalid(extensions, "extensions").await;
    expect_invalid(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101)), "too large").await;
    expect_invalid(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(64 << 10)), "65536 bytes").await;
    expect_invalid(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(64 << 10)), "65536 bytes").await;
    expect_invalid("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(3000), "65536 bytes").await;
}

#[tokio::test]
async fn headers_up_to_the_limit_are_accepted() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA: ";
    let answer = format!("{head}{}\r\n\r\nbody", "x".repeat((64 << 10) - head.len() - 4));
    assert!(fetch(&origin_stalling_after(answer).await, HttpOptions::default()).await.is_ok());
    let many = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n{}\r\nbody", "A: b\r\n".repeat(99));
    assert!(fetch(&origin_stalling_after(many).await, HttpOptions::default()).await.is_ok());
}
