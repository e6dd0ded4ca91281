//! imgproxy, which fetches the images that it scales through the cache.

use media_cache_test_support::http_client::{HttpResponse, http_client, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use percent_encoding::percent_decode_str;

use super::{assert_media, encode_component, recipe, serve};

/// The part of imgproxy that fetches images: it decodes the source in a path such as `/unsafe/rs:fit:300:300/plain/SOURCE@webp`, checks it
/// against `IMGPROXY_ALLOWED_SOURCES`, and requests it as its HTTP client does, without `Accept-Encoding`. With an entity tag, as with
/// `IMGPROXY_USE_ETAG`, the request is conditional. None if the source is not allowed.
async fn fetch(allowed: &str, path: &str, etag: Option<&str>) -> Option<HttpResponse> {
    let (_, source) = path.split_once("/plain/").unwrap();
    let source = percent_decode_str(source.split('@').next().unwrap()).decode_utf8().unwrap();
    if !source.starts_with(allowed) {
        return None;
    }
    let mut request = http_client().get(&*source).header("user-agent", "imgproxy/3.30.1");
    if let Some(etag) = etag {
        request = request.header("if-none-match", etag);
    }
    Some(send(request).await)
}

#[tokio::test]
async fn sources_are_fetched_from_their_origin_once() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = serve(&dir, "imgproxy.toml", &[]).await;
    let environment = recipe("imgproxy.env");
    let allowed = environment.lines().find_map(|line| line.strip_prefix("IMGPROXY_ALLOWED_SOURCES=")).unwrap();
    let base = allowed.replace("127.0.0.1:8080", &service.address().to_string());
    assert_ne!(base, allowed);
    let link = |url: &str, size: u32| {
        let source = format!("{base}{}", encode_component(url));
        format!("/unsafe/rs:fit:{size}:{size}/plain/{}@webp", encode_component(&source))
    };

    let path = "/a%20b.png?x=1&y=2";
    let url = origin.serves(path, "image/png", png(1));
    let mut etag = String::new();
    for size in [100, 200, 300] {
        let response = fetch(&base, &link(&url, size), None).await.unwrap();
        assert_media(&response, "image/png", &png(1));
        etag = response.header("etag").to_owned();
    }
    assert_eq!(fetch(&base, &link(&url, 400), Some(&etag)).await.unwrap().status, 304);
    assert_eq!(origin.requests(path), 1);

    let url = origin.serves("/b.gif", "image/gif", gif(&[10, 20]));
    assert_media(&fetch(&base, &link(&url, 100), None).await.unwrap(), "image/gif", &gif(&[10, 20]));
    assert_eq!(fetch(&base, &link(&origin.url("/missing.png"), 100), None).await.unwrap().status, 404);
    assert_eq!(fetch(&base, &link(&origin.serves("/page", "text/html", "<p>"), 100), None).await.unwrap().status, 415);

    // A link to any other source, which would bypass the cache.
    let direct = format!("/unsafe/rs:fit:1:1/plain/{}", encode_component(&url));
    assert!(fetch(&base, &direct, None).await.is_none());
}
