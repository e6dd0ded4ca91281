//! Requests that a service sends to itself.

use http::Method;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

#[tokio::test]
async fn service_refuses_its_own_request_to_itself() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    let itself = format!("http://{}{}", service.address(), media_path(&picture));
    let answer = service.media(&itself).await;
    assert!(answer.problem(502).contains("508"), "{}", answer.text());
    assert_eq!(answer.code(), "origin-status");
    assert_eq!(origin.total_requests(), 0);
    let stats = service.stats().await;
    assert_eq!(stats["media_cache"]["misses"], 1, "the request that it sent to itself did not reach the cache");
}

#[tokio::test]
async fn redirect_back_to_the_service_is_refused_as_a_loop() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    // The redirect leads back to the download that follows it, which would then wait for itself.
    let circle = origin.url("/circle");
    let back = format!("http://{}{}", service.address(), media_path(&circle));
    origin.answers("/circle", Page::status(302).with_header("location", &back));
    assert!(service.media(&circle).await.problem(502).contains("508"));
    assert_eq!(origin.requests("/circle"), 1);
}

#[tokio::test]
async fn via_option_sets_the_pseudonym_that_detects_loops() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--via", "this-one"]).await;
    for path in ["/healthz", "/stats", "/media", "/nothing"] {
        let answer = send(service.request(Method::GET, path).header("via", "1.1 proxy, 1.1 This-One (media-cache)")).await;
        assert!(answer.problem(508).contains("this-one"));
        assert_eq!((answer.code().as_str(), answer.header("x-content-type-options")), ("loop-detected", "nosniff"), "{path}");
    }
    let answer = send(service.request(Method::GET, "/healthz").header("via", "1.1 another-one, 1.1 this-one-too")).await;
    assert_eq!((answer.status, answer.header("via")), (200, ""));
    let refused = dir.run(&["serve", "--via", "not a name"]).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("is not a valid name for Via"), "{refused:?}");
}
