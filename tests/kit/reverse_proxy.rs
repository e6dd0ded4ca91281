//! The configuration of nginx in front of one service, from docs/operations.md.

use media_cache_server::SigningKeys;
use media_cache_test_skip as skip;
use media_cache_test_support::camo::camo_link;
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use sha2::{Digest, Sha256};

use crate::deployment::reverse_proxy;
use crate::nginx::Nginx;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn every_form_of_a_request_for_media_is_passed_on_and_nothing_else() {
    if skip::unless_installed("nginx") {
        return;
    }
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let key = dir.write("key", KEY.as_bytes());
    let key = key.to_str().unwrap();
    let service = dir.serve_with(&["--allow-address", "127.0.0.0/8", "--signing-key-file", key, "--camo-key-file", key]).await;
    // Without TLS.
    let site = reverse_proxy().replace("listen 443 ssl http2;", "listen 80;");
    let site: String = site.lines().filter(|line| !line.contains("ssl_certificate")).map(|line| format!("{line}\n")).collect();
    let nginx = Nginx::start(&site, service.address()).await;
    let url = origin.serves("/a%20b.png?x=1//&y=%C3%A9", "image/png", png(1));
    let keys = SigningKeys::new([KEY]).unwrap();
    let digest = Sha256::digest(&url).into();
    let paths = [keys.sign(&url, None).unwrap(), keys.sign_with_digest(&url, &digest, None).unwrap(), camo_link(KEY, &url)];
    for path in paths {
        let media = send(http_client().get(nginx.url(&path))).await;
        assert_eq!((media.status, &media.body), (200, &png(1).into()), "{path}");
    }
    for path in ["/stats", "/metrics", "/dashboard", "/media.txt", "/mediax/a", "/readyz"] {
        let other = send(http_client().get(nginx.url(path))).await;
        assert!(other.status == 404 && other.text().contains("nginx"), "{path}: {}", other.text());
    }
}
