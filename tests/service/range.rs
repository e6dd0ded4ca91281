//! Ranges of media, from memory and from a file.

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{png, poster};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

async fn part(service: &Service, url: &str, range: &str) -> HttpResponse {
    send(service.media_request(Method::GET, url).header("range", range)).await
}

/// Requests ranges of all kinds.
async fn parts_are_right(service: &Service, url: &str, whole: &[u8]) {
    let len = whole.len();
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=0-99".to_owned(), 0, 99),
        (format!("bytes={}-{}", len / 2, len / 2 + 300), len / 2, len / 2 + 300),
        ("bytes=-10".to_owned(), len - 10, len - 1),
        (format!("bytes=-{}", len + 1000), 0, len - 1),
        (format!("bytes={}-", len - 500), len - 500, len - 1),
        ("bytes=0-".to_owned(), 0, len - 1),
        (format!("bytes=100-{}", len + 1000), 100, len - 1),
        (format!("bytes=1-{}", len - 2), 1, len - 2),
    ] {
        let answer = part(service, url, &range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{len}"), "{range}");
        assert_eq!(answer.header("content-length"), (last - first + 1).to_string(), "{range}");
        assert!(answer.body == whole[first..=last], "{range}");
        assert_eq!((answer.header("content-type"), answer.header("accept-ranges")), ("image/png", "bytes"));
    }
}

#[tokio::test]
async fn ranges_of_a_resident_entry_are_served() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    parts_are_right(&service, &url, &png(1)).await;
}

#[tokio::test]
async fn ranges_of_a_large_file_are_served_before_and_after_a_restart() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let poster = poster(1);
    let url = origin.serves("/poster.png", "image/png", poster.clone());
    // Nothing is kept in memory, so every range is read from the file.
    let options = ["--max-memory-items", "0"];
    let service = dir.serve_with(&options).await;
    service.media(&url).await.is("miss");
    parts_are_right(&service, &url, &poster).await;
    service.stop().await;
    let service = dir.serve_with(&options).await;
    parts_are_right(&service, &url, &poster).await;
    assert_eq!(origin.requests("/poster.png"), 1);
}

#[tokio::test]
async fn range_of_a_miss_is_served_from_the_whole_download() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let answer = part(&service, &url, "bytes=1-3").await;
    assert_eq!((answer.status, answer.header("x-cache"), &answer.body[..]), (206, "miss", &b"PNG"[..]));
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
}

#[tokio::test]
async fn range_beyond_the_end_is_refused_with_the_length() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let len = png(1).len();
    for range in [format!("bytes={len}-"), format!("bytes={}-{}", len + 5, len + 10), "bytes=-0".into()] {
        let answer = part(&service, &url, &range).await;
        answer.problem(416);
        assert_eq!(answer.header("content-range"), format!("bytes */{len}"), "{range}");
    }
}

#[tokio::test]
async fn unsupported_ranges_return_the_whole_media() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=5-2", "bytes=a-b", "bytes"] {
        let answer = part(&service, &url, range).await;
        assert_eq!((answer.status, answer.header("content-range")), (200, ""), "{range}");
        assert_eq!(answer.body, png(1));
    }
}

#[tokio::test]
async fn range_with_if_range_is_served_only_for_the_stored_version() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let whole = service.media(&url).await.is("miss");
    let (tag, modified) = (whole.header("etag"), whole.header("last-modified"));
    for (version, status, body) in [
        (tag, 206, png(1)[..4].to_vec()),
        (modified, 206, png(1)[..4].to_vec()),
        ("\"another\"", 200, png(1)),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 200, png(1)),
    ] {
        let request = service.media_request(Method::GET, &url).header("range", "bytes=0-3").header("if-range", version);
        let answer = send(request).await;
        assert_eq!((answer.status, answer.body), (status, body.into()), "{version}");
    }
}
