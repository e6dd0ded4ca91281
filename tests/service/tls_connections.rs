//! Limits on TLS and HTTP/2 connections, and on clients that are slow in different ways.

use futures::future::join_all;
use http::{Method, Request};
use media_cache_test_support::certificates::{FIRST, serve_tls};
use media_cache_test_support::http_client::{ADMIN_TOKEN, media_path};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use media_cache_test_support::tls_client::{RawHttp2, connect_tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Much more than sockets and windows can hold.
const LARGE: usize = 10 << 20;

/// A service with TLS and long time limits, except for the given limits.
pub async fn serve(dir: &ServiceDirectory, limits: &[&str]) -> Service {
    let long = ["--header-timeout-seconds", "--client-idle-seconds", "--slow-client-seconds"];
    let long = long.iter().filter(|name| !limits.contains(name)).flat_map(|name| [name, "3600"]);
    let arguments: Vec<&str> = long.chain(limits.iter().copied()).collect();
    serve_tls(dir, FIRST, &arguments).await
}

/// Waits until this many connections have ended in one way.
pub async fn until_ended(service: &Service, ending: &str, count: usize) {
    let line = format!("media_cache_connections_ended_total{{ending=\"{ending}\"}} {count}\n");
    // A connection can be refused while another one ends.
    let metrics = async || service.request(Method::GET, "/metrics").send().await.ok()?.text().await.ok();
    soon(async { while metrics().await.is_none_or(|metrics| !metrics.contains(&line)) {} }).await;
}

#[tokio::test]
async fn handshake_that_takes_too_long_is_cut_off() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    let mut silent = RawClient::connect(&service).await;
    assert_eq!(silent.until_closed().await, b"");
    let mut slow = RawClient::connect(&service).await;
    // The beginning of a record with a handshake of 512 bytes.
    slow.send([22, 3, 1, 2, 0, 1]).await;
    assert_eq!(slow.until_closed().await, b"");
    until_ended(&service, "slow_header", 2).await;
}

#[tokio::test]
async fn connection_that_does_not_speak_tls_is_closed_and_counted() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &[]).await;
    let mut client = RawClient::connect(&service).await;
    client.send([22, 3, 1, 0, 4, 9, 0, 0, 0]).await;
    // The response is an alert.
    assert_eq!(client.until_closed().await.first(), Some(&21));
    until_ended(&service, "tls_handshake", 1).await;
}

#[tokio::test]
async fn connection_without_requests_is_closed() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    let mut http1 = connect_tls(&service, "http/1.1").await;
    assert_eq!(soon(http1.read(&mut [0])).await.unwrap(), 0);
    let http2 = RawHttp2::connect(&service).await;
    let _ = soon(http2.connection).await.unwrap();
    until_ended(&service, "slow_header", 2).await;
}

#[tokio::test]
async fn idle_http_2_connection_is_closed_and_one_with_a_request_in_progress_is_not() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = serve(&dir, &["--client-idle-seconds", "1"]).await;
    let (mut idle, mut waiting) = (RawHttp2::connect(&service).await, RawHttp2::connect(&service).await);
    let response = waiting.media(&url);
    soon(latch.reached()).await;
    assert_eq!(soon(idle.get("/healthz")).await.unwrap().status(), 200);
    let _ = soon(idle.connection).await.unwrap();
    until_ended(&service, "idle", 1).await;
    latch.open();
    assert_eq!(soon(response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn slow_reader_of_http_1_is_disconnected() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, LARGE)).await.status, 201);
    let mut client = connect_tls(&service, "http/1.1").await;
    client.write_all(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", media_path(NOWHERE)).as_bytes()).await.unwrap();
    until_ended(&service, "slow_reader", 1).await;
}

#[tokio::test]
async fn slow_reader_of_a_stream_loses_the_stream_but_not_the_connection() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, LARGE)).await.status, 201);
    let mut client = RawHttp2::connect(&service).await;
    let mut response = soon(client.media(NOWHERE)).await.unwrap();
    // The data is received, but the window does not grow.
    let mut received = 0;
    let error = loop {
        match soon(response.body_mut().data()).await.unwrap() {
            Ok(piece) => received += piece.len(),
            Err(error) => break error,
        }
    };
    assert!(received > 0 && received < LARGE, "{received}");
    assert!(error.is_reset() && error.is_remote(), "{error:?}");
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn http_2_client_that_reads_nothing_is_disconnected() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, LARGE)).await.status, 201);
    let (near, far) = tokio::io::duplex(1 << 20);
    let (mut from_client, mut to_client) = tokio::io::split(far);
    let (_unread, mut to_service) = tokio::io::split(connect_tls(&service, "h2").await);
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_service).await });
    // The settings of the service, which the client waits for: none.
    to_client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut client = RawHttp2::over(near, 1 << 30, 1 << 30).await;
    let _response = client.media(NOWHERE);
    until_ended(&service, "slow_reader", 1).await;
}

#[tokio::test]
async fn slow_upload_over_http_2_is_rejected_with_408() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    let mut client = RawHttp2::connect(&service).await;
    let request = Request::put(format!("https://localhost{}", media_path(NOWHERE)));
    let request = request.header("authorization", format!("Bearer {ADMIN_TOKEN}")).header("content-type", "image/png");
    let (response, mut body) = client.requests.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(png(1)[..10].to_vec().into(), false).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 408);
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn concurrent_requests_of_http_2_count_as_connections() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls = [1, 2, 3].map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number)));
    let latches = [1, 2, 3].map(|number| origin.hold(&format!("/{number}.png")));
    let service = serve(&dir, &["--max-connections", "2"]).await;
    let mut client = RawHttp2::connect(&service).await;
    let [first, second, third] = [0, 1, 2].map(|number| client.media(&urls[number]));
    join_all([&latches[0], &latches[1]].map(|latch| latch.reached())).await;
    let refused = soon(third).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    // There is no permit for another connection either. It is closed without a handshake.
    assert_eq!(RawClient::connect(&service).await.until_closed().await, b"");
    latches.iter().for_each(|latch| latch.open());
    for response in [first, second] {
        assert_eq!(soon(response).await.unwrap().status(), 200);
    }
    drop((refused, client));
    until_ended(&service, "finished", 1).await;
}

#[tokio::test]
async fn large_header_list_is_rejected_with_431() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--max-header-kb", "16"]).await;
    let mut client = RawHttp2::connect(&service).await;
    for (length, status) in [(10_000, 200), (17_000, 431)] {
        let request = Request::get("https://localhost/healthz").header("x-long", "x".repeat(length)).body(()).unwrap();
        let (response, _) = client.requests.send_request(request, true).unwrap();
        assert_eq!(soon(response).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn connection_that_resets_its_requests_at_once_is_closed() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &[]).await;
    let mut client = RawHttp2::connect(&service).await;
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 200);
    // Far more than are accepted, and a bounded number, because the client keeps what it has not sent yet.
    'flood: for _ in 0..100 {
        let Ok(mut ready) = soon(client.requests.clone().ready()).await else { break };
        for _ in 0..100 {
            let request = Request::get("https://localhost/healthz").body(()).unwrap();
            let Ok((_, mut body)) = ready.send_request(request, false) else { break 'flood };
            body.send_reset(8.into());
        }
        tokio::task::yield_now().await;
    }
    assert!(soon(client.connection).await.unwrap().is_err());
    until_ended(&service, "broken", 1).await;
}
