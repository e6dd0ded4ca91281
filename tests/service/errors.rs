//! Errors are problem documents with the appropriate status.

use http::Method;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn invalid_media_request_is_refused_with_the_reason() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for (path, words) in [
        ("/media", "`url` is missing"),
        ("/media?url=", "`url` is missing"),
        ("/media?url=https://x.invalid/a?b=1&c=2", "unknown parameter `c`"),
        ("/media?url=https%3A%2F%2Fx.invalid%2F&url=https%3A%2F%2Fy.invalid%2F", "twice"),
        ("/media?url=no%20url", "cannot be fetched"),
        ("/media?url=http%3A%2F%2F", "cannot be fetched"),
        ("/media?url=ftp%3A%2F%2Fx.invalid%2Fa.png", "scheme is ftp"),
        ("/media?url=file%3A%2F%2F%2Fetc%2Fpasswd", "scheme is file"),
        ("/media?url=http%3A%2F%2Fme%3Asecret%40x.invalid%2F", "credentials"),
    ] {
        let answer = service.get(path).await;
        assert!(answer.problem(400).contains(words), "{path}: {}", answer.text());
        assert!(!answer.text().contains("secret"));
    }
    assert_eq!(dir.disk_usage(), 0);
}

#[tokio::test]
async fn origin_status_determines_the_response_status_and_code() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (answers, told, code) in [
        (404, 404, "not-found"),
        (410, 410, "gone"),
        (500, 502, "origin-status"),
        (401, 403, "denied"),
        (403, 403, "denied"),
        (451, 451, "unavailable-for-legal-reasons"),
        (402, 502, "origin-status"),
        (204, 502, "origin-status"),
        (206, 502, "partial-body"),
        (304, 502, "origin-status"),
    ] {
        let url = origin.answers(&format!("/{answers}"), Page::status(answers));
        let answer = service.media(&url).await;
        answer.problem(told);
        assert_eq!(answer.code(), code, "{answers}");
        assert!(!dir.holds(&url));
    }
}

#[tokio::test]
async fn retry_after_of_a_busy_origin_is_passed_to_the_client() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for status in [503, 429] {
        let url = origin.answers(&format!("/{status}"), Page::status(status).with_header("retry-after", "17"));
        let answer = service.media(&url).await;
        assert!(answer.problem(503).contains("17 seconds"));
        assert_eq!(answer.header("retry-after"), "17");
    }
    let url = origin.answers("/busy", Page::status(503));
    let answer = service.media(&url).await;
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "");
}

#[tokio::test]
async fn unreachable_origin_is_a_bad_gateway() {
    let (closed, dir) = (ClosedPort::reserve(), ServiceDirectory::create());
    let service = dir.serve().await;
    let answer = service.media(&closed.url("/picture.png?token=secret")).await;
    assert!(answer.problem(502).contains("cannot be reached"));
    assert!(!answer.text().contains("secret"));
}

#[tokio::test]
async fn origin_body_over_the_limit_is_refused_with_or_without_content_length() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-body-mb", "1"]).await;
    let too_much = Page::of("video/mp4", noise(1, (1 << 20) + 1));
    let announced = origin.answers("/announced", too_much.clone());
    assert!(service.media(&announced).await.problem(413).contains("1048576 bytes"));
    let chunked = origin.answers("/chunked", too_much.chunked());
    let response = service.media_request(Method::GET, &chunked).send().await.unwrap();
    // The response may already have begun when the limit is exceeded.
    assert!(response.status() == 413 || response.bytes().await.is_err());
    assert!(service.media(&chunked).await.problem(413).contains("1048576 bytes"));
    assert!(!dir.holds(&announced) && !dir.holds(&chunked));
    let url = origin.serves("/just", "video/mp4", noise(1, 1 << 20));
    service.media(&url).await.is("miss");
}

#[tokio::test]
async fn truncated_origin_body_is_an_error_and_not_stored() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let (small, large) = (Page::of("image/png", png(1)).truncated(), Page::of("image/png", noise(1, 12 << 20)).truncated());
    for (path, page) in [("/small", small.clone()), ("/1", small.chunked())] {
        let url = origin.answers(path, page);
        service.media(&url).await.problem(502);
        assert_eq!(dir.disk_usage(), 0, "{:?}", dir.names());
    }
    for (path, page) in [("/large", large.clone()), ("/2", large.chunked())] {
        let url = origin.answers(path, page);
        let response = service.media_request(Method::GET, &url).send().await.unwrap();
        // The response may already have begun.
        assert!(response.status() == 502 || response.bytes().await.is_err());
        service.media(&url).await.problem(502);
        assert_eq!(dir.disk_usage(), 0, "{:?}", dir.names());
    }
    soon(async { while service.stats().await["downloads"]["failed"] != 4 {} }).await;
    let stats = service.stats().await;
    assert_eq!((&stats["media_cache"]["total_entries"], &stats["downloads"]["failed"]), (&0.into(), &4.into()));
}

#[tokio::test]
async fn an_empty_or_encoded_body_is_an_error() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let empty = origin.serves("/empty.png", "image/png", "");
    service.media(&empty).await.problem(502);
    let zipped = origin.answers("/zipped.png", Page::of("image/png", png(1)).with_header("content-encoding", "gzip"));
    assert!(service.media(&zipped).await.problem(502).contains("gzip"));
    assert_eq!(dir.disk_usage(), 0);
}

#[tokio::test]
async fn redirect_loop_and_redirect_to_another_scheme_are_refused() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let circle = origin.answers("/circle", Page::status(302).with_header("location", "/circle"));
    assert!(service.media(&circle).await.problem(502).contains("more than 5 times"));
    let elsewhere = origin.answers("/elsewhere", Page::status(302).with_header("location", "file:///etc/passwd"));
    assert!(service.media(&elsewhere).await.problem(403).contains("scheme is file"));
}

#[tokio::test]
async fn remembered_failure_is_returned_without_contacting_the_origin() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.answers("/picture.png", Page::status(500));
    let first = service.media(&url).await.problem(502);
    let second = service.media(&url).await.problem(502);
    assert_eq!(
        (first, origin.requests("/picture.png")),
        (second, 3),
        "three attempts for the first request, and none for the second"
    );
    assert_eq!(service.stats().await["downloads"]["remembered_failures"], 1);
}

#[tokio::test]
async fn remembered_failure_does_not_prevent_a_put() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.answers("/picture.png", Page::status(404));
    service.media(&url).await.problem(404);
    assert_eq!(service.put(&url, "image/png", png(1)).await.status, 201);
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
}

#[tokio::test]
async fn delete_forgets_a_remembered_failure() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.answers("/picture.png", Page::status(404));
    service.media(&url).await.problem(404);
    origin.serves("/picture.png", "image/png", png(1));
    service.delete(&url).await.problem(404);
    service.media(&url).await.is("miss");
}

#[tokio::test]
async fn failed_head_request_has_the_status_and_no_body() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.answers("/picture.png", Page::status(404));
    let answer = send(service.media_request(Method::HEAD, &url)).await;
    assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (404, 0, "application/problem+json"));
}
