//! Which web pages may read media from scripts.

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, media_path, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

const PAGE: &str = "https://example.org";

async fn get_from(service: &Service, url: &str, origin: &str) -> HttpResponse {
    send(service.media_request(Method::GET, url).header("origin", origin)).await
}

/// The request headers on which a response depends.
fn vary(answer: &HttpResponse) -> Vec<String> {
    let values = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap().to_ascii_lowercase());
    values.flat_map(|value| value.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()).collect()
}

async fn preflight(service: &Service, path: &str, origin: &str) -> HttpResponse {
    let request = service.anonymous_request(Method::OPTIONS, path).header("origin", origin);
    send(request.header("access-control-request-method", "GET").header("access-control-request-headers", "range")).await
}

#[tokio::test]
async fn pages_from_allowed_origins_may_read_media_and_problems() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--allow-origin", "https://example.org,http://localhost:3000"]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let missing = origin.answers("/missing.png", Page::status(404));
    for page in [PAGE, "http://localhost:3000"] {
        for (url, status) in [(&url, 200), (&missing, 404)] {
            let answer = get_from(&service, url, page).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, page));
            let exposed = answer.header("access-control-expose-headers");
            for name in ["content-disposition", "content-range", "etag", "age", "retry-after", "x-cache", "x-request-id"] {
                assert!(exposed.split(',').any(|header| header.trim() == name), "{name}: {exposed}");
            }
            assert!(vary(&answer).contains(&"origin".to_owned()), "{:?}", answer.headers);
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
        let allowed = preflight(&service, &media_path(&url), page).await;
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, page));
        assert_eq!(allowed.header("access-control-allow-methods"), "GET,HEAD");
        assert!(allowed.header("access-control-allow-headers").contains("range"), "{:?}", allowed.headers);
        assert_eq!(allowed.header("access-control-max-age"), "7200");
    }
    for page in ["https://example.com", "http://example.org", "https://example.org:8443", "https://a.example.org", "null"] {
        let answer = get_from(&service, &url, page).await.is("hit");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{page}");
        assert!(vary(&answer).contains(&"origin".to_owned()), "{page}: {:?}", answer.headers);
        assert_eq!(preflight(&service, &media_path(&url), page).await.header("access-control-allow-origin"), "", "{page}");
    }
}

#[tokio::test]
async fn pages_from_allowed_origins_may_read_the_refusal_of_a_script() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--allow-origin", PAGE]).await;
    let url = "https://nowhere.invalid/a.js";
    let request = service.media_request(Method::GET, url).header("origin", PAGE).header("sec-fetch-dest", "script");
    let answer = send(request).await;
    answer.problem(403);
    assert_eq!((answer.code().as_str(), answer.header("access-control-allow-origin")), ("active-destination", PAGE));
}

#[tokio::test]
async fn response_is_the_same_for_every_page_if_all_origins_are_allowed() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--allow-origin", "*"]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    for page in [PAGE, "null"] {
        let answer = get_from(&service, &url, page).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(vary(&answer), ["sec-fetch-dest"]);
    }
    assert_eq!(service.media(&url).await.is("hit").header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn only_media_responses_have_cors_headers() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--allow-origin", "*"]).await;
    for path in ["/stats", "/policy", "/healthz", "/nowhere"] {
        let answer = send(service.request(Method::GET, path).header("origin", PAGE)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        let answer = preflight(&service, path, PAGE).await;
        assert!(answer.status >= 400 && answer.header("access-control-allow-origin").is_empty(), "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn pages_may_not_read_anything_unless_their_origin_is_allowed() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let answer = get_from(&service, &url, PAGE).await.is("miss");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(vary(&answer), ["sec-fetch-dest"]);
    assert_eq!(preflight(&service, &media_path(&url), PAGE).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn invalid_allowed_origin_is_an_error_at_startup() {
    let dir = ServiceDirectory::create();
    for origin in ["example.org", "https://example.org/path", "null"] {
        let failed = dir.run(&["serve", "--listen", "127.0.0.1:0", "--allow-origin", origin]).await;
        assert!(failed.code != Some(0) && failed.stderr.contains("is not an origin"), "{origin}: {}", failed.stderr);
    }
}
