//! Headers that keep browsers from treating media as active content.

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{jpeg, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::videos::mp4;

/// Asserts headers that every response must have.
#[track_caller]
fn is_guarded(answer: &HttpResponse, embeddable: &str) {
    let policy = answer.header("content-security-policy");
    let is_sandboxed = policy.ends_with("; sandbox") || policy.ends_with("; sandbox allow-same-origin");
    assert!(policy.starts_with("default-src 'none';") && is_sandboxed && !policy.contains("script"), "{}: {policy}", answer.status);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", embeddable),
        ("set-cookie", ""),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn every_response_except_media_is_marked_no_store() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let kept = |answer: &HttpResponse| answer.header("cache-control").to_owned();
    for path in ["/stats", "/entries", "/policy", "/policies", "/metrics", "/healthz", "/readyz", "/nowhere", "/media"] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let answer = send(service.request(method.clone(), path)).await;
            assert_eq!(kept(&answer), "no-store", "{method} {path}: {}", answer.status);
        }
    }
    assert_eq!(kept(&service.put(&url, "image/png", png(1)).await), "no-store");
    assert_eq!(kept(&service.media(&url).await.is("hit")), "public, max-age=86400");
    assert_eq!(kept(&service.delete(&url).await), "no-store");
    service.stop().await;
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    let media = service.media(&url).await.is("miss");
    is_guarded(&media, "cross-origin");
    is_guarded(&send(service.media_request(Method::HEAD, &url)).await.is("hit"), "cross-origin");
    for (name, value, status) in [("range", "bytes=0-3", 206), ("if-none-match", media.header("etag"), 304)] {
        let answer = send(service.media_request(Method::GET, &url).header(name, value)).await;
        assert_eq!(answer.status, status);
        is_guarded(&answer, "cross-origin");
    }
    for (name, value, status) in [("range", "bytes=99999999-", 416), ("if-match", "\"x\"", 412)] {
        let answer = send(service.media_request(Method::GET, &url).header(name, value)).await;
        answer.problem(status);
        is_guarded(&answer, "same-origin");
    }
    let put = service.put("https://nowhere.invalid/a.png", "image/png", png(2)).await;
    assert_eq!(put.status, 201, "{}", put.text());
    let deleted = service.delete(&url).await;
    assert_eq!(deleted.status, 204);
    let not_allowed = send(service.request(Method::POST, "/stats")).await;
    not_allowed.problem(405);
    for answer in [put, deleted, not_allowed] {
        is_guarded(&answer, "same-origin");
    }
    for (path, status) in [("/stats", 200), ("/policy", 200), ("/policies", 200), ("/healthz", 200), ("/media", 400), ("/x", 404)] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        is_guarded(&answer, "same-origin");
    }
}

#[tokio::test]
async fn content_security_policy_lets_only_audio_and_video_load_themselves() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for (name, mimetype, bytes, allowed) in [
        ("a.mp4", "video/mp4", mp4().await, ["media-src 'self'; ", " allow-same-origin"]),
        ("a.ogg", "audio/ogg", b"OggS".to_vec(), ["media-src 'self'; ", " allow-same-origin"]),
        ("a.png", "image/png", png(1), ["", ""]),
        ("a.svg", "image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), ["", ""]),
        ("a.txt", "text/plain", b"words".to_vec(), ["", ""]),
    ] {
        let url = format!("https://nowhere.invalid/{name}");
        assert_eq!(service.put(&url, mimetype, bytes).await.status, 201, "{name}");
        let [source, exception] = allowed;
        let policy = format!("default-src 'none'; {source}style-src 'unsafe-inline'; sandbox{exception}");
        let whole = service.media(&url).await.is("hit");
        assert_eq!(whole.header("content-security-policy"), policy, "{name}");
        for (condition, value) in [("range", "bytes=0-1"), ("if-none-match", whole.header("etag"))] {
            let answer = send(service.media_request(Method::GET, &url).header(condition, value)).await;
            assert_eq!(answer.header("content-security-policy"), policy, "{name} {condition}");
        }
    }
}

#[tokio::test]
async fn pixels_video_and_text_are_displayed_and_other_types_are_saved() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    for (path, mimetype, bytes, disposition) in [
        ("/a.png", "image/png", png(1), "inline"),
        ("/b.jpg", "image/jpeg", jpeg(1), "inline"),
        ("/c.mp4", "video/mp4", mp4().await, "inline"),
        ("/d.txt", "text/plain", b"just words".to_vec(), "inline"),
        ("/e.svg", "image/svg+xml", SVG.into(), "attachment"),
        ("/h.pdf", "application/pdf", b"%PDF-1.7\n".to_vec(), "attachment"),
        ("/j.bin", "application/octet-stream", vec![1, 2, 3, 250], "attachment"),
    ] {
        let url = format!("https://nowhere.invalid{path}");
        assert_eq!(service.put(&url, mimetype, bytes).await.status, 201, "{path}");
        let answer = service.media(&url).await.is("hit");
        assert_eq!(answer.header("content-type"), mimetype, "{path}");
        assert_eq!(answer.header("content-disposition"), format!("{disposition}; filename=\"{}\"", &path[1..]), "{path}");
        is_guarded(&answer, "cross-origin");
    }
    // The origin's disposition is ignored.
    let page = Page::of("image/svg+xml", SVG).with_header("content-disposition", "inline; filename=\"k.svg\"");
    let answer = service.media(&origin.answers("/k.svg", page)).await.is("miss");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"k.svg\"");
}
