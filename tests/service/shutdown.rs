//! A service that is asked to stop finishes requests in progress, accepts no new ones, and saves its state.

use std::os::unix::fs::PermissionsExt;

use futures::future::join;
use media_cache_test_support::http_client::ADMIN_TOKEN;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, png, poster};
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::{eventually, soon};
use tokio::net::TcpStream;

/// Waits until new connections are refused.
async fn until_refused(service: &Service) {
    soon(async { while TcpStream::connect(service.address()).await.is_ok() {} }).await;
}

/// Stops a service while a download is in progress.
async fn finishes_a_download(signal: Signal) {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    let stopping = async {
        latch.reached().await;
        service.signal(signal);
        service.wait_for_log("finishing requests in progress").await;
        until_refused(&service).await;
        latch.open();
    };
    let (answer, ()) = join(service.media(&url), stopping).await;
    assert_eq!(answer.is("miss").body, png(1));
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(dir.holds(&url));
    assert!(dir.has_index_log(), "{:?}", dir.names());
    assert_eq!(dir.order().await, [url]);
}

#[tokio::test]
async fn termination_signal_lets_a_download_and_its_response_finish() {
    finishes_a_download(Signal::TERM).await;
}

#[tokio::test]
async fn interrupt_signal_lets_a_download_and_its_response_finish() {
    finishes_a_download(Signal::INT).await;
}

#[tokio::test]
async fn shutdown_finishes_a_download_whose_client_disconnected() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    service.request_and_disconnect(&url, &latch).await;
    service.signal(Signal::TERM);
    until_refused(&service).await;
    latch.open();
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(dir.holds(&url));
}

#[tokio::test]
async fn shutdown_finishes_a_response_in_progress() {
    let (dir, poster) = (ServiceDirectory::create(), poster(1));
    let url = "https://nowhere.invalid/poster.png";
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    assert_eq!(service.put(url, "image/png", poster.clone()).await.status, 201);
    let response = soon(service.media_request(http::Method::GET, url).send()).await.unwrap();
    service.signal(Signal::TERM);
    until_refused(&service).await;
    assert!(soon(response.bytes()).await.unwrap() == poster);
    assert_eq!(service.wait().await.code(), Some(0));
}

#[tokio::test]
async fn shutdown_stores_an_upload_in_progress() {
    let dir = ServiceDirectory::create();
    let url = "https://nowhere.invalid/picture.png";
    let service = dir.serve().await;
    let mut upload = RawClient::connect(&service).await;
    upload.send_put_head(url, &format!("Content-Length: {}\r\nExpect: 100-continue", png(1).len())).await;
    assert_eq!(upload.read_bytes(25).await, "HTTP/1.1 100 Continue\r\n\r\n");
    service.signal(Signal::TERM);
    until_refused(&service).await;
    upload.send(png(1)).await;
    let answer = upload.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(service.wait().await.code(), Some(0));
    assert_eq!(std::fs::read(dir.media_file(url)).unwrap(), png(1));
}

#[tokio::test]
async fn idle_connections_do_not_delay_shutdown() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let mut silent = RawClient::connect(&service).await;
    let mut idle = RawClient::connect(&service).await;
    idle.send_get("/healthz").await;
    assert_eq!(idle.read_bytes(12).await, "HTTP/1.1 200");
    service.stop().await;
    silent.until_closed().await;
    idle.until_closed().await;
}

/// Asserts that a stopped service has saved which entries are stored.
async fn assert_remembered(dir: &ServiceDirectory, entries: u64) {
    let service = dir.serve().await;
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["from_index"]), (&entries.into(), &entries.into()));
    service.stop().await;
}

#[tokio::test]
async fn signals_in_quick_succession_count_as_one() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    let stopping = async {
        latch.reached().await;
        for signal in [Signal::TERM, Signal::TERM, Signal::INT] {
            service.signal(signal);
        }
        until_refused(&service).await;
        latch.open();
    };
    let (answer, ()) = join(service.media(&url), stopping).await;
    assert_eq!(answer.is("miss").body, png(1));
    assert_eq!(service.wait().await.code(), Some(0));
    assert_remembered(&dir, 1).await;
}

#[tokio::test]
async fn second_signal_ends_the_wait_for_clients_and_still_closes_the_cache() {
    for second in [Signal::TERM, Signal::INT] {
        let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
        let url = origin.serves("/picture.png", "image/png", png(1));
        let latch = origin.hold("/picture.png");
        let service = dir.serve_with(&["--grace-seconds", "3600"]).await;
        assert_eq!(service.put("https://nowhere.invalid/other.png", "image/png", png(2)).await.status, 201);
        let asking = tokio::spawn(service.media_request(http::Method::GET, &url).send());
        latch.reached().await;
        service.signal(Signal::TERM);
        let words = "1 connections are still open and another signal ended the wait for them; closing them";
        eventually(|| {
            service.signal(second);
            service.log().iter().any(|line| line.contains(words))
        })
        .await;
        assert_eq!(service.wait().await.code(), Some(0));
        // The download is abandoned as well, and its client may learn of that before its connection is closed.
        let answer = soon(asking).await.unwrap();
        assert!(answer.as_ref().is_err() || answer.is_ok_and(|answer| answer.status() == 503));
        assert_remembered(&dir, 1).await;
    }
}

#[tokio::test]
async fn service_that_cannot_close_its_cache_exits_with_status_3_at_the_limit() {
    let dir = ServiceDirectory::create();
    // A converter that never finishes, but ends with the service.
    let converter = dir.write("ffmpeg", b"#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do sleep 0.1; done\n");
    std::fs::set_permissions(&converter, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path("").display(), std::env::var("PATH").unwrap());
    dir.write("admin-token", ADMIN_TOKEN.as_bytes());
    let arguments = ["--listen", "127.0.0.1:0", "--admin-token-file", "admin-token", "--transcoder", "ffmpeg"];
    let limits = ["--gif-max-seconds", "3600", "--grace-seconds", "1", "--shutdown-limit-seconds", "1"];
    let service = Service::start_in(&dir.path(""), &[("PATH", &path)], &[&arguments[..], &limits].concat()).await;
    let request = service.media_request(http::Method::PUT, "https://nowhere.invalid/a.gif");
    let putting = tokio::spawn(request.header("content-type", "image/gif").body(gif(&[10, 10])).send());
    eventually(|| !service.children().is_empty()).await;
    service.signal(Signal::TERM);
    service.wait_for_log("the service has not stopped within 2 s and exits without closing the cache").await;
    assert_eq!(service.wait().await.code(), Some(3));
    assert!(soon(putting).await.unwrap().is_err());
}

#[tokio::test]
async fn unfinished_request_head_does_not_delay_shutdown() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--grace-seconds", "1"]).await;
    let mut connection = RawClient::connect(&service).await;
    connection.send("GET /healthz HTTP/1.1\r\nHo").await;
    // When another connection gets a response, the service has received the partial request.
    service.stats().await;
    service.stop().await;
}

#[tokio::test]
async fn shutdown_abandons_a_stalled_download_after_the_grace_period() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let patient = ["--first-byte-seconds", "3600", "--download-seconds", "3600"];
    let service = dir.serve_with(&[&["--grace-seconds", "1"][..], &patient].concat()).await;
    let asking = tokio::spawn(service.media_request(http::Method::GET, &url).send());
    latch.reached().await;
    service.signal(Signal::TERM);
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(soon(asking).await.unwrap().is_err());
    assert_eq!(dir.disk_usage(), 0, "{:?}", dir.names());
}

#[tokio::test]
async fn signal_while_the_cache_is_loading_stops_the_service() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    // The address is printed before the cache is loaded.
    service.signal(Signal::TERM);
    assert_eq!(service.wait().await.code(), Some(0));
}
