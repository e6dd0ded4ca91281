//! Clients that are slow in different ways are disconnected, and do not delay other clients.

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::soon;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Much more than sockets can hold.
const LARGE: usize = 10 << 20;

/// A service with long time limits, except for the given limits.
async fn serve(dir: &ServiceDirectory, limits: &[&str]) -> Service {
    let long = ["--header-timeout-seconds", "--client-idle-seconds", "--slow-client-seconds"];
    let long = long.iter().filter(|name| !limits.contains(name)).flat_map(|name| [name, "3600"]);
    let arguments: Vec<&str> = long.chain(limits.iter().copied()).collect();
    dir.serve_with(&arguments).await
}

/// A client that has requested a large entry, and has not read any of it.
async fn request_large_media(service: &Service) -> RawClient {
    assert!(matches!(service.put(NOWHERE, "image/png", noise(1, LARGE)).await.status, 200 | 201));
    let mut client = RawClient::connect_with_small_buffer(service).await;
    client.send(format!("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", media_path(NOWHERE))).await;
    client
}

#[tokio::test]
async fn silent_connection_is_closed_without_a_response() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    assert_eq!(RawClient::connect(&service).await.read_to_end().await, "");
}

#[tokio::test]
async fn incomplete_request_head_is_rejected_with_408() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    for half in ["GET /hea", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: "] {
        let mut client = RawClient::connect(&service).await;
        client.send(half).await;
        let said = client.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("longer than 1 s"), "{said}");
    }
}

#[tokio::test]
async fn slowly_arriving_request_head_is_rejected_with_408() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    let mut client = RawClient::connect(&service).await;
    client.send("GET /healthz HTTP/1.1\r\nHost: ").await;
    let said = client.drip().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn idle_timeout_and_header_timeout_of_a_kept_connection_are_separate() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--client-idle-seconds", "1"]).await;
    let mut client = RawClient::connect(&service).await;
    for _ in 0..2 {
        client.send_get("/healthz").await;
        assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(client.read_to_end().await, "", "it is idle, and is closed without a response");
    service.stop().await;
    let service = serve(&dir, &["--header-timeout-seconds", "1"]).await;
    let mut client = RawClient::connect(&service).await;
    client.send_get("/healthz").await;
    client.read_response().await;
    // Another connection times out completely before this one continues: a connection may be idle for longer than a head may take.
    RawClient::connect(&service).await.read_to_end().await;
    client.send("GET /hea").await;
    assert!(client.read_to_end().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn request_body_below_the_minimum_rate_is_rejected_with_408() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut client = RawClient::connect(&service).await;
        client.send_put_head(NOWHERE, framing).await;
        client.send("186A0\r\n").await;
        let said = if framing.starts_with('C') { client.drip().await } else { client.read_to_end().await };
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\r\nconnection: close\r\n"), "{said}");
        assert!(said.contains("fewer than 1024 bytes per second over 1 s"), "{said}");
    }
    assert!(!dir.holds(NOWHERE));
}

#[tokio::test]
async fn uploads_over_the_limit_are_refused_until_one_ends() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &[]).await;
    let mut senders = Vec::new();
    for _ in 0..64 {
        let mut sender = RawClient::connect(&service).await;
        sender.send_put_head(NOWHERE, "Content-Length: 100000\r\nExpect: 100-continue").await;
        assert_eq!(sender.read_bytes(25).await, "HTTP/1.1 100 Continue\r\n\r\n");
        senders.push(sender);
    }
    let refused = service.put(NOWHERE, "image/png", png(1)).await;
    assert!(refused.problem(503).contains("too many uploads"));
    assert_eq!(refused.header("retry-after"), "1");
    senders.pop();
    let stored = async { while service.put(NOWHERE, "image/png", png(1)).await.status != 201 {} };
    soon(stored).await;
}

#[tokio::test]
async fn client_that_reads_nothing_is_reset() {
    let dir = ServiceDirectory::create();
    for tier in ["0", "64"] {
        let service = serve(&dir, &["--slow-client-seconds", "1", "--max-memory-items", tier]).await;
        let mut client = request_large_media(&service).await;
        client.until_reset().await;
        let (taken, whole) = client.sip(1 << 20).await;
        assert!(taken < LARGE && !whole, "{taken} bytes");
        service.stop().await;
    }
}

#[tokio::test]
async fn slow_reader_is_reset_only_below_the_minimum_rate() {
    let dir = ServiceDirectory::create();
    let limits = ["--slow-client-seconds", "1", "--min-client-rate"];
    // At most fifty small reads per second.
    let service = serve(&dir, &[&limits[..], &["1000000"]].concat()).await;
    let (taken, whole) = request_large_media(&service).await.sip(10_000).await;
    assert!(taken < LARGE && !whole, "{taken} bytes");
    service.stop().await;
    let service = serve(&dir, &[&limits[..], &["1000"]].concat()).await;
    let (taken, whole) = request_large_media(&service).await.sip(200_000).await;
    assert!(taken > LARGE && whole, "{taken} bytes");
}

#[tokio::test]
async fn time_spent_waiting_for_the_origin_does_not_count_against_a_client() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let limits = ["--header-timeout-seconds", "1", "--client-idle-seconds", "1", "--slow-client-seconds", "1"];
    let service = serve(&dir, &limits).await;
    let waiting = async {
        latch.reached().await;
        // This takes longer than any of the limits.
        for _ in 0..2 {
            assert_eq!(RawClient::connect(&service).await.read_to_end().await, "");
        }
        latch.open();
    };
    let (answer, ()) = futures::future::join(service.media(&url), waiting).await;
    assert_eq!(answer.is("miss").body, png(1));
}

#[tokio::test]
async fn service_with_slow_clients_stops_at_the_end_of_the_grace_period() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = serve(&dir, &["--grace-seconds", "1"]).await;
    let reader = request_large_media(&service).await;
    let (mut silent, mut header, mut body, mut waiting) = (
        RawClient::connect(&service).await,
        RawClient::connect(&service).await,
        RawClient::connect(&service).await,
        RawClient::connect(&service).await,
    );
    header.send("GET /healthz HTTP/1.1\r\nHo").await;
    body.send_put_head(NOWHERE, "Content-Length: 100000").await;
    waiting.send_get(&media_path(&url)).await;
    latch.reached().await;
    service.signal(Signal::TERM);
    service.wait_for_log("connections are still open after 1 s; closing them").await;
    latch.open();
    assert_eq!(service.wait().await.code(), Some(0));
    assert_eq!(silent.read_to_end().await, "");
    drop((reader, header, body, waiting));
}
