//! Limits on connections and on what clients send, and the responses to refused connections.

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::{eventually, soon};

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// An accepted connection that is kept open.
async fn connect_accepted(service: &Service) -> RawClient {
    let mut client = RawClient::connect(service).await;
    client.send_get("/healthz").await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
    client
}

/// Connects until a connection is accepted.
async fn until_accepted(service: &Service) {
    soon(async {
        loop {
            let mut client = RawClient::connect(service).await;
            // A refused client gets its response before this request arrives, or while it is arriving.
            client.send_get("/healthz").await;
            if client.read_response().await.starts_with("HTTP/1.1 200 ") {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn connection_over_the_limit_is_refused_with_503_and_retry_after() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-connections", "2"]).await;
    let (first, second) = (connect_accepted(&service).await, connect_accepted(&service).await);
    for _ in 0..100 {
        let said = RawClient::connect(&service).await.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("too many connections"), "{said}");
        assert!(said.contains("\r\nretry-after: 1\r\n") && said.contains("\r\nconnection: close\r\n"), "{said}");
    }
    drop(first);
    until_accepted(&service).await;
    drop(second);
}

#[tokio::test]
async fn connection_limit_applies_to_each_client_address() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-connections-per-address", "1"]).await;
    let first = connect_accepted(&service).await;
    let said = RawClient::connect(&service).await.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 429 ") && said.contains("from this address"), "{said}");
    let mut elsewhere = RawClient::connect_from(&service, "127.0.0.2").await;
    elsewhere.send_get("/healthz").await;
    assert!(elsewhere.read_response().await.starts_with("HTTP/1.1 200 "));
    drop(first);
    until_accepted(&service).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    let mut client = RawClient::connect(&service).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.send([get("/healthz"), get("/nowhere"), get(&media_path(NOWHERE)), get("/readyz")].concat()).await;
    for (status, words) in [("200", "alive"), ("404", "no path"), ("200", "x-cache: hit"), ("200", "ready")] {
        let answer = client.read_response().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(words), "{answer}");
    }
}

#[tokio::test]
async fn oversized_request_head_is_refused_with_431() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    for head in [format!("X-Large: {}\r\n", "x".repeat(1 << 20)), many] {
        let mut client = RawClient::connect(&service).await;
        client.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{head}\r\n")).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
    service.stop().await;
    let service = dir.serve_with(&["--max-header-kb", "64"]).await;
    let mut client = RawClient::connect(&service).await;
    client.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(60 << 10))).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn bytes_that_are_not_http_1_are_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n"]
    {
        let mut client = RawClient::connect(&service).await;
        client.send(nonsense).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 400 ") || said.is_empty(), "{said}");
    }
    service.get("/healthz").await;
}

#[tokio::test]
async fn client_that_sends_all_of_an_oversized_body_receives_the_413() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-body-mb", "1"]).await;
    let body = noise(1, 8 << 20);
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    for (framing, body) in [(format!("Content-Length: {}", body.len()), &body), ("Transfer-Encoding: chunked".into(), &chunk)] {
        let mut client = RawClient::connect(&service).await;
        client.send_put_head(NOWHERE, &framing).await;
        client.send(body).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("limit of 1048576 bytes"), "{said}");
        assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
    }
}

#[tokio::test]
async fn client_that_disconnects_during_a_response_frees_its_connection() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/large.png", "image/png", noise(1, 10 << 20));
    let service = dir.serve_with(&["--max-connections", "1"]).await;
    let mut client = RawClient::connect_with_small_buffer(&service).await;
    client.send_get(&media_path(&url)).await;
    assert_eq!(client.read_bytes(15).await, "HTTP/1.1 200 OK");
    drop(client);
    until_accepted(&service).await;
    eventually(|| dir.holds(&url)).await;
}

#[tokio::test]
async fn concurrent_connections_and_downloads_are_limited_to_fit_the_open_file_limit() {
    let dir = ServiceDirectory::create();
    let options = ["--max-open-files", "100", "--max-downloads", "1000"];
    let service = Service::start_with_open_files(&dir.cache(), 2000, &options).await;
    service.wait_for_log("concurrent downloads instead of 1000, since only 2000 open files are allowed").await;
    let warnings: Vec<String> = service.log().into_iter().filter(|line| line.contains("open files are allowed")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("concurrent connections instead of 4096 and at most "), "{warnings:?}");
    let finished = Service::fail_with_open_files(&dir.path("other"), 100, &[]).await;
    assert!(finished.failed().contains("only 100 open files are allowed"));
}

#[tokio::test]
async fn service_accepts_connections_again_once_file_descriptors_are_available() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    // Once statistics are available, loading needs no more files.
    service.stats().await;
    let before = service.limit_open_files(3);
    let mut client = RawClient::connect(&service).await;
    client.send_get("/healthz").await;
    service.wait_for_log("cannot accept connections at the moment").await;
    service.limit_open_files(before);
    assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
}
