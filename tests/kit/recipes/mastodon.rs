//! Mastodon, whose pages request files at `S3_ALIAS_HOST`.

use media_cache_test_skip as skip;
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

use super::{assert_media, recipe, serve};
use crate::nginx::Nginx;

/// Keys of Mastodon's files: attachments, avatars, custom emoji and previews, of the server itself and, below `cache`, of others.
const KEYS: [&str; 4] = [
    "/media_attachments/files/112/345/678/901/234/567/original/0123456789abcdef.png",
    "/cache/media_attachments/files/112/345/678/901/234/567/small/0123456789abcdef.png",
    "/cache/accounts/avatars/000/000/001/original/0a1b2c3d4e5f.png",
    "/cache/preview_cards/images/000/000/001/original/f0.png",
];

#[tokio::test]
async fn files_come_from_the_object_store_once_and_can_be_read_by_the_web_interface() {
    if skip::unless_installed("nginx") {
        return;
    }
    let (bucket, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = serve(&dir, "mastodon.toml", &["--allow-host", "127.0.0.1"]).await;
    let configuration = recipe("mastodon.nginx.conf").replace("https://bucket.s3.example.com", &bucket.url(""));
    let nginx = Nginx::start(&configuration, service.address()).await;
    for key in KEYS {
        bucket.answers(key, Page::of("image/png", png(1)).with_header("cache-control", "public, max-age=315576000, immutable"));
        for _ in 0..2 {
            let request = http_client().get(nginx.url(key)).header("host", "files.example.com");
            let request = request.header("origin", "https://mastodon.example").header("sec-fetch-mode", "cors");
            let response = send(request.header("sec-fetch-site", "cross-site").header("sec-fetch-dest", "empty")).await;
            assert_media(&response, "image/png", &png(1));
            assert_eq!(response.header("access-control-allow-origin"), "*");
        }
        // A part, as players of videos request it.
        let part = send(http_client().get(nginx.url(key)).header("range", "bytes=2-5")).await;
        assert_eq!((part.status, &part.body[..]), (206, &png(1)[2..6]));
        assert_eq!(bucket.requests(key), 1, "{key}");
    }
}

#[tokio::test]
async fn only_keys_of_the_bucket_are_requested() {
    if skip::unless_installed("nginx") {
        return;
    }
    let (bucket, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = serve(&dir, "mastodon.toml", &["--allow-host", "127.0.0.1"]).await;
    let configuration = recipe("mastodon.nginx.conf").replace("https://bucket.s3.example.com", &bucket.url(""));
    let nginx = Nginx::start(&configuration, service.address()).await;
    bucket.serves("/a.png", "image/png", png(1));
    // nginx decodes paths, so escapes do not help.
    for path in ["/a.png%26x=1", "/a.png%23", "/a%0d%0a.png", "/%40127.0.0.1/a.png", "/a.png%3Fx", "/a b.png", "/"] {
        assert_eq!(send(http_client().get(nginx.url(path))).await.status, 404, "{path}");
    }
    assert_eq!(send(http_client().get(nginx.url("/missing.png"))).await.status, 404);
    assert_eq!(send(http_client().put(nginx.url("/a.png")).body("x")).await.status, 403);
    // Like `/media` itself, a key such as `/stats` is one of the bucket.
    assert_eq!(send(http_client().get(nginx.url("/stats"))).await.status, 404);
    assert_eq!(send(http_client().get(nginx.url("/a.png?url=http://127.0.0.1/b.png"))).await.body, png(1));
}
