//! The metrics at `/metrics`.

use std::collections::BTreeSet;

use http::Method;
use media_cache_test_support::certificates::{FIRST, serve_tls};
use media_cache_test_support::fed_origin::FedOrigin;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin};
use media_cache_test_support::images::{gif, jpeg, photo, png};
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use media_cache_test_support::workspace::workspace_file;

use crate::scrape::Scrape;

const NOWHERE: &str = "https://nowhere.invalid/picture.jpg";

/// The number of requests with this outcome.
fn requests(scrape: &Scrape, route: &str, method: &str, outcome: &str) -> f64 {
    scrape.sum("media_cache_requests_total", &[("route", route), ("method", method), ("outcome", outcome)])
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_outcome() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", photo(1));
    service.media(&url).await.is("miss");
    let tag = service.media(&url).await.is("hit").header("etag").to_owned();
    assert_eq!(send(service.media_request(Method::GET, &url).header("if-none-match", tag)).await.status, 304);
    assert_eq!(send(service.media_request(Method::GET, &url).header("range", "bytes=0-9")).await.status, 206);
    assert_eq!(send(service.media_request(Method::GET, &url).header("range", "bytes=999999-")).await.status, 416);
    send(service.media_request(Method::HEAD, &url)).await.is("hit");
    assert_eq!(service.put(NOWHERE, "image/jpeg", jpeg(1)).await.status, 201);
    assert_eq!(service.delete(NOWHERE).await.status, 204);
    for _ in 0..2 {
        // The second request is answered from the remembered failure.
        service.media(&origin.url("/missing.png")).await.problem(404);
    }
    service.get("/media").await.problem(400);
    service.get("/elsewhere").await.problem(404);
    service.get("/policy").await;
    assert_eq!(send(service.request(Method::PATCH, "/media")).await.status, 405);
    assert_eq!(send(service.request(Method::from_bytes(b"BREW").unwrap(), "/media")).await.status, 405);

    let scrape = Scrape::of(&service).await;
    for (route, method, outcome, count) in [
        ("/media", "GET", "miss", 1.0),
        ("/media", "GET", "hit-memory", 3.0),
        ("/media", "GET", "hit-disk", 0.0),
        ("/media", "GET", "no-such-range", 1.0),
        ("/media", "HEAD", "hit-memory", 1.0),
        ("/media", "PUT", "ok", 1.0),
        ("/media", "DELETE", "ok", 1.0),
        ("/media", "GET", "not-found", 2.0),
        ("/media", "GET", "bad-request", 1.0),
        ("other", "GET", "no-such-path", 1.0),
        ("/policy", "GET", "ok", 1.0),
        ("/media", "PATCH", "method-not-allowed", 1.0),
        ("/media", "other", "method-not-allowed", 1.0),
        // The scrape that reports this has not ended yet.
        ("/metrics", "GET", "ok", 0.0),
    ] {
        assert_eq!(requests(&scrape, route, method, outcome), count, "{method} {route}: {outcome}");
    }
    assert_eq!(scrape.sum("media_cache_requests_total", &[]), 15.0);
    assert_eq!(scrape.sum("media_cache_requests_in_progress", &[]), 1.0);
    assert!(scrape.sum("media_cache_connections", &[]) >= 1.0, "the connection of the scrape itself");
    assert_eq!(scrape.sum("media_cache_time_to_first_byte_seconds_count", &[]), 15.0);
    assert_eq!(scrape.sum("media_cache_time_to_first_byte_seconds_count", &[("outcome", "hit-memory")]), 4.0);
    assert_eq!(scrape.sum("media_cache_time_to_first_byte_seconds_bucket", &[("outcome", "hit-memory"), ("le", "+Inf")]), 4.0);
    let whole = photo(1).len() as f64;
    assert_eq!(scrape.sum("media_cache_served_bytes_total", &[("source", "origin")]), whole);
    assert_eq!(scrape.sum("media_cache_served_bytes_total", &[("source", "memory")]), whole + 10.0);
    assert_eq!(scrape.sum("media_cache_served_bytes_total", &[("source", "disk")]), 0.0);
    assert_eq!(requests(&Scrape::of(&service).await, "/metrics", "GET", "ok"), 1.0);
}

#[tokio::test]
async fn cache_counters_are_exposed_as_metrics() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-memory-items", "2"]).await;
    for number in 0..4 {
        let url = origin.serves(&format!("/{number}.png"), "image/png", photo(number));
        service.media(&url).await.is("miss");
    }
    service.media(&origin.url("/3.png")).await.is("hit");
    service.media(&origin.url("/0.png")).await.is("hit");
    service.media(&origin.url("/missing.png")).await.problem(404);
    service.media(&origin.url("/missing.png")).await.problem(404);
    let stats = service.stats().await;
    let scrape = Scrape::of(&service).await;
    let told = |name: &str, labels: &[(&str, &str)]| scrape.sum(&format!("media_cache_{name}"), labels);
    assert_eq!((told("hits_total", &[("tier", "memory")]), told("hits_total", &[("tier", "disk")])), (1.0, 1.0));
    assert_eq!((told("misses_total", &[]), told("remembered_failures_total", &[])), (6.0, 1.0));
    assert_eq!((told("entries", &[]), told("stored_total", &[]), told("resident_entries", &[])), (4.0, 4.0, 2.0));
    assert_eq!((told("evictions_total", &[("tier", "memory")]), told("evictions_total", &[("tier", "disk")])), (2.0, 0.0));
    assert_eq!(told("media_bytes", &[]), 4.0 * photo(0).len() as f64);
    assert_eq!(told("memory_bytes", &[]), 2.0 * photo(0).len() as f64);
    assert_eq!(told("disk_bytes", &[]), dir.disk_usage() as f64);
    assert_eq!(told("disk_budget_bytes", &[]), (500u64 << 20) as f64);
    assert_eq!(told("served_bytes_total", &[("source", "disk")]), photo(0).len() as f64);
    assert_eq!((told("ready", &[]), told("component_restarts_total", &[]), told("blob_handles", &[])), (1.0, 0.0, 6.0));
    assert_eq!(told("open_files", &[]), 4.0, "those of all entries");
    assert_eq!(told("policy_call_seconds_count", &[]), stats["policy"]["calls"].as_f64().unwrap());
    assert_eq!(told("policy_info", &[("name", "lru")]), 1.0);
}

#[tokio::test]
async fn policy_call_counter_is_not_reset_by_a_swap() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(service.put(NOWHERE, "image/jpeg", jpeg(1)).await.status, 201);
    let before = Scrape::of(&service).await.sum("media_cache_policy_call_seconds_count", &[]);
    assert!(before > 0.0);
    assert_eq!(send(service.request(Method::PUT, "/policy?name=sieve")).await.status, 200);
    let scrape = Scrape::of(&service).await;
    assert!(scrape.sum("media_cache_policy_call_seconds_count", &[]) >= before);
    assert_eq!(scrape.sum("media_cache_policy_swaps_total", &[]), 1.0);
    assert_eq!(scrape.sum("media_cache_policy_info", &[("name", "sieve")]), 1.0);
    assert_eq!(scrape.sum("media_cache_policy_info", &[]), 1.0, "there is one policy at a time");
}

#[tokio::test]
async fn downloads_and_conversions_are_counted_by_outcome() {
    let (origin, dir, closed) = (HttpOrigin::start().await, ServiceDirectory::create(), ClosedPort::reserve());
    let service = dir.serve().await;
    service.media(&origin.serves("/a.png", "image/png", photo(1))).await.is("miss");
    service.media(&origin.url("/missing.png")).await.problem(404);
    service.media(&closed.url("/b.png")).await.problem(502);
    let animation = gif(&[10, 10]);
    service.media(&origin.serves("/c.gif", "image/gif", animation.clone())).await.is("miss");
    let broken = &animation[..animation.len() / 2];
    service.media(&origin.serves("/d.gif", "image/gif", broken.to_owned())).await.is("miss");
    let scrape = Scrape::of(&service).await;
    let told = |name: &str, labels: &[(&str, &str)]| scrape.sum(&format!("media_cache_{name}"), labels);
    for (outcome, count) in [("success", 3.0), ("not-found", 1.0), ("unreachable", 1.0)] {
        assert_eq!(told("downloads_total", &[("outcome", outcome), ("host_class", "address")]), count, "{outcome}");
    }
    assert_eq!(told("download_seconds_count", &[]), 5.0);
    assert_eq!(told("downloads_in_progress", &[]), 0.0);
    let bytes = photo(1).len() + animation.len() + broken.len();
    assert_eq!(told("downloaded_bytes_total", &[("host_class", "address")]), bytes as f64);
    assert_eq!(told("transcode_seconds_count", &[("outcome", "success")]), 1.0);
    assert_eq!(told("transcode_seconds_count", &[("outcome", "malformed")]), 1.0);
    assert_eq!(told("transcode_input_bytes_total", &[]), (animation.len() + broken.len()) as f64);
    let video = service.media(&origin.url("/c.gif")).await.is("hit").body.len();
    assert_eq!(told("transcode_output_bytes_total", &[]), video as f64);
    assert_eq!(
        (told("conversions_total", &[("stored", "converted")]), told("conversions_total", &[("stored", "original")])),
        (1.0, 1.0)
    );
}

#[tokio::test]
async fn downloads_are_counted_by_outcome_and_host_class() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--metrics-host", "127.0.0.1,*.example.invalid"]).await;
    service.media(&origin.url("/missing.png")).await.problem(404);
    for url in ["http://10.0.0.1/a.png", "http://[::ffff:10.0.0.1]/", "http://a.example.invalid:22/"] {
        service.media(url).await.problem(403);
    }
    let scrape = Scrape::of(&service).await;
    for (outcome, class, count) in
        [("not-found", "127.0.0.1", 1.0), ("refused", "address", 2.0), ("refused", "*.example.invalid", 1.0)]
    {
        let labels = [("outcome", outcome), ("host_class", class)];
        assert_eq!(scrape.sum("media_cache_downloads_total", &labels), count, "{labels:?}");
    }
}

#[tokio::test]
async fn client_that_disconnects_is_counted_as_abandoned() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let latch = origin.hold("/a.png");
    service.request_and_disconnect(&url, &latch).await;
    service.wait_for_log("outcome=\"abandoned\"").await;
    let scrape = Scrape::of(&service).await;
    assert_eq!(requests(&scrape, "/media", "GET", "abandoned"), 1.0);
    assert_eq!(scrape.sum("media_cache_requests_in_progress", &[]), 1.0, "the scrape itself");
    assert_eq!(scrape.sum("media_cache_downloads_in_progress", &[]), 1.0, "the download continues");
    latch.open();
}

/// Responses that ended early for this reason.
async fn incomplete(service: &Service, reason: &str) -> f64 {
    Scrape::of(service).await.sum("media_cache_incomplete_responses_total", &[("reason", reason)])
}

#[tokio::test]
async fn response_that_ends_early_is_counted_by_reason() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &noise(1, 8 << 20)].concat();
    origin.cut_off(&service, "image/png", &picture).await;
    soon(async { while incomplete(&service, "failed").await != 1.0 {} }).await;
    // Responses of the hit lane and of the router are counted when they are abandoned; complete responses and those to HEAD are not.
    assert_eq!(service.put(NOWHERE, "image/png", picture).await.status, 201);
    for (number, header) in [(1.0, ""), (2.0, "X-Unknown: 1\r\n")] {
        service.media(NOWHERE).await.is("hit");
        send(service.media_request(Method::HEAD, NOWHERE)).await.is("hit");
        assert_eq!(send(service.media_request(Method::GET, NOWHERE).header("x-unknown", "1")).await.status, 200);
        let mut client = RawClient::connect_with_small_buffer(&service).await;
        client.send(format!("GET {} HTTP/1.1\r\nHost: x\r\n{header}\r\n", media_path(NOWHERE))).await;
        assert!(client.read_bytes(15).await.starts_with("HTTP/1.1 200 OK"));
        drop(client);
        soon(async { while incomplete(&service, "abandoned").await != number {} }).await;
    }
    let scrape = Scrape::of(&service).await;
    assert_eq!(scrape.sum("media_cache_downloads_total", &[("outcome", "short-body")]), 1.0);
    assert_eq!(requests(&scrape, "/media", "GET", "miss"), 1.0);
    assert_eq!(incomplete(&service, "failed").await, 1.0);
}

#[tokio::test]
async fn unread_response_body_is_not_counted_as_served() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    let body = noise(1, 32 << 20);
    assert_eq!(service.put(NOWHERE, "video/mp4", body.clone()).await.status, 201);
    let response = service.media_request(Method::GET, NOWHERE).send().await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    let served = Scrape::of(&service).await.sum("media_cache_served_bytes_total", &[]);
    assert!(served < body.len() as f64, "{served}");
}

#[tokio::test]
async fn metrics_are_served_in_openmetrics_format_on_request() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let answer = send(service.request(Method::GET, "/metrics").header("accept", accept)).await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.ends_with("\n# EOF\n"));
    assert!(text.contains("# TYPE media_cache_requests counter\n") && text.contains("# TYPE media_cache_build info\n"));
}

#[tokio::test]
async fn client_input_never_becomes_a_label() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for url in
        ["https://stranger.invalid/stranger", "mxc://stranger.invalid/stranger", "stranger:stranger", &origin.url("/stranger")]
    {
        service.media(url).await;
    }
    service.get("/stranger").await;
    send(service.request(Method::from_bytes(b"STRANGER").unwrap(), "/media?stranger=stranger")).await;
    let text = String::from_utf8(service.get("/metrics").await.body.to_vec()).unwrap();
    assert!(!text.to_lowercase().contains("stranger"), "{text}");
    for class in ["address", "matrix", "other"] {
        assert!(text.contains(&format!("host_class=\"{class}\"")), "{class}");
    }
}

/// A line of the table in `docs/metrics.md` for each metric.
fn table(scrape: &Scrape) -> String {
    let lines = scrape.families.iter().map(|family| {
        let labels: BTreeSet<&str> = family.samples.iter().flat_map(|sample| sample.labels.keys().map(String::as_str)).collect();
        let labels: Vec<String> = labels.into_iter().filter(|label| *label != "le").map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |\n", family.name, family.kind, labels.join(", "), family.help)
    });
    lines.collect()
}

#[tokio::test]
async fn every_metric_is_documented_with_its_type_labels_and_help() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let store = tempfile::tempdir().unwrap();
    let tier = format!("file://{}", store.path().display());
    let service = serve_tls(&dir, FIRST, &["--tier", &tier, "--otlp-endpoint", "http://127.0.0.1:9"]).await;
    service.media(&origin.serves("/a.gif", "image/gif", gif(&[10, 10]))).await.is("miss");
    let table = table(&Scrape::of(&service).await);
    let documented = workspace_file("docs/metrics.md");
    assert!(documented.contains(&table), "docs/metrics.md should have these lines:\n{table}");
}
