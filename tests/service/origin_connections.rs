//! Connections to origins that are reused for several requests.

use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::photo;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;

use crate::scrape::Scrape;

async fn value(service: &Service, name: &str) -> f64 {
    Scrape::of(service).await.sum(name, &[])
}

/// Downloads two images, and waits for this number of idle connections in between. Returns the number of requests over reused connections.
async fn reused(arguments: &[&str], idle: f64) -> f64 {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(arguments).await;
    service.media(&origin.serves("/a.png", "image/png", photo(1))).await.is("miss");
    // Each scrape is a request, so this does not spin.
    soon(async { while value(&service, "media_cache_origin_connections_idle").await != idle {} }).await;
    service.media(&origin.serves("/b.png", "image/png", photo(2))).await.is("miss");
    assert_eq!(value(&service, "media_cache_origin_requests_sent_again_total").await, 0.0);
    value(&service, "media_cache_origin_requests_over_reused_connections_total").await
}

#[tokio::test]
async fn connection_is_reused_for_the_next_download_unless_reuse_is_disabled() {
    assert_eq!(reused(&[], 1.0).await, 1.0);
    assert_eq!(reused(&["--reuse-origin-connections", "never"], 0.0).await, 0.0);
}
