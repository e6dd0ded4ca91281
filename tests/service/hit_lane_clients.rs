//! Hits that are answered below hyper, for clients that do not read them, disconnect, or are connected when the service stops.

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::soon;

use crate::scrape::Scrape;

/// The URL of an entry of three megabytes.
const LARGE: &str = "https://example.com/large.png";
const LARGE_BYTES: usize = 3 << 20;

/// Where the bytes of a hit are, and the option for that.
const SOURCES: [(&str, &str); 2] = [("memory", "1"), ("disk", "0")];

/// A service with an entry that is too large for any socket buffer, and a client that has requested it and reads nothing.
async fn large_hit(dir: &ServiceDirectory, (source, items): (&str, &str), arguments: &[&str]) -> (Service, RawClient) {
    let service = dir.serve_with(&[&["--max-memory-items", items], arguments].concat()).await;
    assert_eq!(service.put(LARGE, "image/png", noise(7, LARGE_BYTES)).await.status, 201);
    service.media(LARGE).await.is("hit");
    let mut client = RawClient::connect_with_small_buffer(&service).await;
    client.send_get(&media_path(LARGE)).await;
    let sent = async || Scrape::of(&service).await.sum("media_cache_served_bytes_total", &[("source", source)]);
    while soon(sent()).await <= LARGE_BYTES as f64 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Scrape::of(&service).await.sum("media_cache_hit_lane_responses_total", &[]), 1.0);
    (service, client)
}

/// Waits until a connection has ended in this way.
async fn until_ended(service: &Service, ending: &str) {
    let ended = async || Scrape::of(service).await.sum("media_cache_connections_ended_total", &[("ending", ending)]);
    while soon(ended()).await == 0.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn client_that_does_not_read_a_hit_is_cut_off() {
    for source in SOURCES {
        let dir = ServiceDirectory::create();
        let (service, client) = large_hit(&dir, source, &["--slow-client-seconds", "1"]).await;
        client.until_reset().await;
        until_ended(&service, "slow_reader").await;
    }
}

#[tokio::test]
async fn connection_that_is_reset_during_a_hit_is_counted_as_broken() {
    for source in SOURCES {
        let dir = ServiceDirectory::create();
        let (service, client) = large_hit(&dir, source, &[]).await;
        drop(client);
        until_ended(&service, "broken").await;
    }
}

#[tokio::test]
async fn clients_that_do_not_read_a_large_file_do_not_delay_others() {
    let dir = ServiceDirectory::create();
    let (service, _client) = large_hit(&dir, SOURCES[1], &[]).await;
    let mut others = Vec::new();
    for _ in 0..16 {
        let mut client = RawClient::connect_with_small_buffer(&service).await;
        client.send_get(&media_path(LARGE)).await;
        others.push(client);
    }
    for _ in 0..4 {
        let answer = service.media(LARGE).await.is("hit");
        assert!(answer.body == noise(7, LARGE_BYTES));
    }
}

#[tokio::test]
async fn file_that_shrinks_while_being_sent_truncates_the_response_and_is_fetched_again() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let media = noise(8, LARGE_BYTES);
    let url = origin.serves("/large.bin", "application/pdf", media.clone());
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    service.media(&url).await.is("miss");
    service.until_stored(1).await;
    let mut client = RawClient::connect_with_small_buffer(&service).await;
    client.send_get(&media_path(&url)).await;
    assert!(client.read_bytes(12).await.ends_with(" 200"));
    let file = std::fs::File::options().write(true).open(dir.media_file(&url)).unwrap();
    file.set_len(LARGE_BYTES as u64 / 2).unwrap();
    let (received, _) = client.sip(1 << 20).await;
    assert!(received < LARGE_BYTES, "{received}");
    assert!(service.media(&url).await.is("miss").body == media);
    service.until_stored(2).await;
    assert!(service.media(&url).await.is("hit").body == media);
}

#[tokio::test]
async fn hit_in_progress_at_shutdown_is_sent_completely() {
    for source in SOURCES {
        let dir = ServiceDirectory::create();
        let (service, client) = large_hit(&dir, source, &[]).await;
        check_that_it_is_sent_to_its_end(service, client).await;
    }
}

async fn check_that_it_is_sent_to_its_end(service: Service, mut client: RawClient) {
    let idle = idle_after_a_hit(&service).await;
    let mut half = RawClient::connect(&service).await;
    half.send("GET /healthz HTTP/1.1\r\nHo").await;
    // Once this is answered, the other connection has been accepted.
    service.get("/healthz").await;
    service.signal(Signal::TERM);
    service.wait_for_log("finishing requests in progress").await;
    half.send("st: x\r\n\r\n").await;
    assert!(half.read_to_end().await.starts_with("HTTP/1.1 200 "), "the first request on a connection is answered");
    idle.wait_for_the_end().await;
    let (received, is_whole) = client.sip(1 << 20).await;
    assert!(received > LARGE_BYTES && is_whole, "{received}");
    assert!(service.wait().await.success());
}

/// An idle connection after a hit that was answered in place.
async fn idle_after_a_hit(service: &Service) -> Idle {
    let url = "https://example.com/idle.png";
    assert_eq!(service.put(url, "image/png", png(3)).await.status, 201);
    let mut client = RawClient::connect(service).await;
    client.send_get(&media_path(url)).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
    Idle(client)
}

struct Idle(RawClient);

impl Idle {
    async fn wait_for_the_end(mut self) {
        assert_eq!(self.0.read_to_end().await, "");
    }
}
