//! `HEAD`, versions, and conditional requests.

use std::time::SystemTime;

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, png, poster};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::sha256::sha256;

/// Requests media with a header.
async fn ask(service: &Service, url: &str, name: &str, value: &str) -> HttpResponse {
    send(service.media_request(Method::GET, url).header(name, value)).await
}

#[tokio::test]
async fn head_downloads_the_media_and_returns_the_headers_of_get_without_a_body() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let pages =
        [("/small.png", "image/png", png(1)), ("/large.png", "image/png", poster(1)), ("/dance.gif", "image/gif", gif(&[10, 20]))];
    for ((path, mimetype, bytes), stored) in pages.into_iter().zip(1..) {
        let url = origin.serves(path, mimetype, bytes);
        let mut head = send(service.media_request(Method::HEAD, &url)).await.is("miss");
        assert!(head.body.is_empty());
        service.until_stored(stored).await;
        assert!(dir.holds(&url), "it was downloaded");
        let mut get = service.media(&url).await.is("hit");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        for answer in [&mut head, &mut get] {
            assert!(answer.headers.remove("date").is_some());
            answer.headers.remove("x-cache");
            assert!(answer.headers.remove("x-request-id").is_some(), "each response has its own id");
        }
        if head.header("etag").is_empty() {
            // The download had not ended yet.
            assert_eq!(path, "/large.png");
            for name in ["etag", "last-modified", "accept-ranges"] {
                assert!(get.headers.remove(name).is_some(), "{name}");
            }
        }
        assert_eq!(head.headers, get.headers);
        assert_eq!(origin.requests(path), 1);
    }
}

#[tokio::test]
async fn etag_is_the_sha256_of_the_bytes_and_last_modified_the_stored_time() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    for cache in ["miss", "hit"] {
        let answer = service.media(&url).await.is(cache);
        assert_eq!(answer.header("etag"), format!("\"{}\"", sha256(png(1))));
        assert_eq!(answer.header("cache-control"), "public, max-age=86400");
        let stored = dir.sidecar(&url)["ts"].as_f64().unwrap();
        assert_eq!(httpdate(answer.header("last-modified")), stored as u64);
    }
}

/// Seconds since 1970.
fn httpdate(text: &str) -> u64 {
    let mut headers = http::HeaderMap::new();
    headers.insert("last-modified", text.parse().unwrap());
    let modified: headers::LastModified = headers::HeaderMapExt::typed_get(&headers).unwrap();
    SystemTime::from(modified).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn request_for_media_that_the_client_already_has_returns_not_modified() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let whole = service.media(&url).await.is("miss");
    let (tag, modified) = (whole.header("etag"), whole.header("last-modified"));
    let among_others = format!("\"x\", {tag}");
    for (name, value) in [("if-none-match", tag), ("if-none-match", &among_others), ("if-modified-since", modified)] {
        let answer = ask(&service, &url, name, value).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{name}: {value}");
        for header in ["etag", "last-modified", "cache-control"] {
            assert_eq!(answer.header(header), whole.header(header), "{header}");
        }
        assert_eq!(answer.header("content-type"), "");
    }
    for (name, value) in [("if-none-match", "\"another\""), ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT")] {
        assert_eq!(ask(&service, &url, name, value).await.is("hit").body, png(1), "{name}: {value}");
    }
    ask(&service, &url, "if-match", "\"another\"").await.problem(412);
    ask(&service, &url, "if-match", tag).await.is("hit");
}

#[tokio::test]
async fn conditions_also_apply_to_media_downloaded_for_the_request() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let answer = ask(&service, &url, "if-none-match", &format!("\"{}\"", sha256(png(1)))).await;
    assert_eq!((answer.status, answer.header("x-cache")), (304, "miss"));
    service.media(&url).await.is("hit");
}
