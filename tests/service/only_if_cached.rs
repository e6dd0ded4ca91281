//! `Cache-Control: only-if-cached` returns stored media, and never downloads.

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

async fn if_cached(service: &Service, method: Method, url: &str, directives: &str) -> HttpResponse {
    send(service.media_request(method, url).header("cache-control", directives)).await
}

#[tokio::test]
async fn only_if_cached_request_for_an_unknown_url_is_not_downloaded() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    for directives in ["only-if-cached", "max-stale=60, Only-If-Cached"] {
        let answer = if_cached(&service, Method::GET, &url, directives).await;
        assert!(answer.problem(504).contains("only-if-cached"), "{}", answer.text());
        assert_eq!(answer.code(), "not-stored");
        assert_eq!(if_cached(&service, Method::HEAD, &url, directives).await.status, 504);
    }
    assert_eq!(origin.total_requests(), 0);
    // A miss is not remembered as a failed download.
    service.media(&url).await.is("miss");
}

#[tokio::test]
async fn only_if_cached_request_is_served_from_memory_and_from_disk() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    assert_eq!(if_cached(&service, Method::GET, &url, "only-if-cached").await.is("hit").body, png(1));
    service.stop().await;
    let service = dir.serve().await;
    assert_eq!(if_cached(&service, Method::HEAD, &url, "only-if-cached").await.is("hit").header("content-type"), "image/png");
    assert_eq!(origin.total_requests(), 1);
}

#[tokio::test]
async fn only_if_cached_request_does_not_wait_for_a_download() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let latch = origin.hold("/a.png");
    let (first, second) = tokio::join!(service.media(&url), async {
        latch.reached().await;
        let second = if_cached(&service, Method::GET, &url, "only-if-cached").await;
        latch.open();
        second
    });
    second.problem(504);
    first.is("miss");
}
