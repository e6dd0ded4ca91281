//! Paths arrive at a node exactly as the client sent them, or their signatures and digests would be wrong.

use media_cache_test_support::camo::camo_link;
use media_cache_test_support::http_client::media_path;
use media_cache_test_support::images::png;
use media_cache_test_support::raw_client::RawClient;

use crate::fleet::{Fleet, KEY, digest_path, query_path};

crate::with_each_balancer!(paths_are_passed_on_byte_for_byte, url_as_long_as_a_node_accepts_is_passed_on);

async fn paths_are_passed_on_byte_for_byte(fleet: Fleet) {
    for (number, path) in (0..).zip([
        "//a//b.png",
        "/a%2Fb%2f%2Fc.png",
        "/%25252F/a%20b+c.png?d=e+f&g=%26%3D&&h",
        "/%C3%A4/a.png;v=1?x=/../y/./z",
        "/a/..%2Fb/..%2f..%2f/c.png",
        "/A%5Cb/'(c)',~!$*@.png?q=a:b//c",
    ]) {
        // Encoded in the usual way, with lower-case digits, and only where it is necessary.
        let url = fleet.origin.serves(path, "image/png", png(number));
        let (query, usual) = (query_path(&url, None), digest_path(&url, None));
        let lower = usual.rsplit_once('/').map(|(start, url)| format!("{start}/{}", url.to_ascii_lowercase())).unwrap();
        let start = usual.rsplit_once('/').unwrap().0;
        let plain = format!("{start}/{}", url.replace('%', "%25").replace('?', "%3F"));
        let link = camo_link(KEY, &url);
        let query_link = media_path(&url).replacen("/media", link.rsplit_once('/').unwrap().0, 1);
        let has_capitals = url.bytes().any(|byte| byte.is_ascii_uppercase());
        let has_dots = url.contains("/../") || url.contains("/./");
        for (target, is_usable) in
            [(&usual, true), (&lower, !has_capitals), (&plain, !has_dots), (&query, true), (&link, true), (&query_link, true)]
        {
            if is_usable {
                let mut client = RawClient::connect_to(fleet.address()).await;
                client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
                let answered = client.read_to_end().await;
                assert!(answered.starts_with("HTTP/1.1 200 "), "{target}: {answered}");
            }
        }
    }
}

async fn url_as_long_as_a_node_accepts_is_passed_on(fleet: Fleet) {
    // Its encoded form is three times as long.
    let url = fleet.origin.serves(&format!("/{}.png", "+".repeat(8000)), "image/png", png(1));
    fleet.get(&digest_path(&url, None)).await.is("miss");
    assert_eq!(fleet.get(&query_path(&url, None)).await.status, 200);
}
