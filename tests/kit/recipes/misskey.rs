//! Misskey, whose pages request media from its media proxy.

use http::Method;
use media_cache_test_skip as skip;
use media_cache_test_support::http_client::{HttpResponse, http_client, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::service_directory::ServiceDirectory;

use super::{assert_media, encode_component, recipe, serve};
use crate::nginx::Nginx;

/// The paths that Misskey's server and its pages put into pages: the name of the file and the parameters after the URL.
const FORMS: [(&str, &str); 7] = [
    ("image.webp", ""),
    ("image.webp", "&fallback=1"),
    ("preview.webp", "&fallback=1&preview=1"),
    ("image.webp", "&fallback=1&emoji=1"),
    ("image.webp", "&fallback=1&avatar=1"),
    ("avatar.webp", "&avatar=1"),
    ("static.webp", "&static=1"),
];

/// A request for an image of a page of Misskey.
async fn image(nginx: &Nginx, path: &str) -> HttpResponse {
    let request = http_client().get(nginx.url(path)).header("host", "media.example.com");
    let request =
        request.header("accept", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8").header("accept-encoding", "gzip, br");
    let request = request.header("referer", "https://misskey.example/").header("sec-fetch-site", "cross-site");
    send(request.header("sec-fetch-mode", "no-cors").header("sec-fetch-dest", "image")).await
}

#[tokio::test]
async fn every_form_of_a_proxied_url_returns_the_media_which_is_fetched_once() {
    if skip::unless_installed("nginx") {
        return;
    }
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = serve(&dir, "misskey.toml", &["--allow-port", &origin.port().to_string()]).await;
    let nginx = Nginx::start(&recipe("misskey.nginx.conf"), service.address()).await;
    let path = "/files/a%20b.png?x=1&y=%C3%A9+z";
    let url = origin.serves(path, "image/png", png(1));
    for (name, parameters) in FORMS {
        let response = image(&nginx, &format!("/proxy/{name}?url={}{parameters}", encode_component(&url))).await;
        assert_media(&response, "image/png", &png(1));
    }
    assert_eq!(origin.requests(path), 1);

    // An element for images cannot display a video.
    let url = origin.serves("/b.gif", "image/gif", gif(&[10, 20]));
    let response = image(&nginx, &format!("/proxy/image.webp?url={}", encode_component(&url))).await;
    assert_media(&response, "image/gif", &gif(&[10, 20]));
}

#[tokio::test]
async fn nothing_but_media_is_forwarded() {
    if skip::unless_installed("nginx") {
        return;
    }
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = serve(&dir, "misskey.toml", &["--allow-port", &origin.port().to_string()]).await;
    let nginx = Nginx::start(&recipe("misskey.nginx.conf"), service.address()).await;
    let page = encode_component(&origin.serves("/page", "text/html", "<p>"));
    assert_eq!(image(&nginx, &format!("/proxy/image.webp?url={page}")).await.status, 415);
    assert_eq!(image(&nginx, "/proxy/image.webp").await.status, 400);
    for path in ["/stats", "/metrics", "/entries", "/media?url=x", "/dashboard", "/proxy/../stats", "/proxy/image.webp/stats"] {
        assert_eq!(image(&nginx, path).await.status, 404, "{path}");
    }
    for method in [Method::PUT, Method::DELETE, Method::POST] {
        let request = http_client().request(method.clone(), nginx.url(&format!("/proxy/image.webp?url={page}")));
        assert_eq!(send(request).await.status, 403, "{method}");
    }
}
