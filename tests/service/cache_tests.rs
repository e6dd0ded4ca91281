//! Cases from [cache-tests](https://github.com/http-tests/cache-tests), under their original names: which responses a shared cache must not
//! reuse, and the age of those that it does reuse.

use std::time::{Duration, SystemTime};

use headers::{Date, Expires, Header, HeaderMapExt};
use http::HeaderMap;
use media_cache_test_support::cache_directory::INDEX_LOG;
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

const DAY: Duration = Duration::from_secs(86_400);

/// A response with an image and the current time in `Date`.
fn picture(seed: u64) -> Page {
    Page::of("image/png", png(seed)).with_header("date", &formatted(Date::from(SystemTime::now())))
}

/// An image that expires after a while.
fn expiring_picture(seed: u64, lifetime: Duration) -> Page {
    picture(seed).with_header("expires", &formatted(Expires::from(SystemTime::now() + lifetime)))
}

/// The value of a header.
fn formatted(header: impl Header) -> String {
    let mut headers = HeaderMap::new();
    headers.typed_insert(header);
    headers.values().next().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn media_that_a_shared_cache_must_not_keep_is_requested_again() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (name, directives, lifetime) in [
        ("cc-resp-no-store", "no-store", None),
        ("cc-resp-no-store-case-insensitive", "No-StOrE", None),
        ("cc-resp-no-store-fresh", "max-age=10000, no-store", Some(Duration::from_secs(10_000))),
        ("cc-resp-private-shared", "private, max-age=3600", None),
    ] {
        let path = format!("/{name}.png");
        for seed in 1..3 {
            let page = lifetime.map_or_else(|| picture(seed), |lifetime| expiring_picture(seed, lifetime));
            let url = origin.answers(&path, page.with_header("cache-control", directives));
            assert_eq!(service.media(&url).await.is("miss").body, png(seed), "{name}");
            assert!(!dir.holds(&url), "{name}");
        }
        assert_eq!(origin.requests(&path), 2, "{name}");
    }
}

#[tokio::test]
async fn stored_response_is_reused_even_if_the_origin_now_sends_no_store() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (name, newer) in [("cc-resp-no-store-old-new", "no-store"), ("cc-resp-no-store-old-max-age", "no-store, max-age=0")] {
        let path = format!("/{name}.png");
        let lifetime = Duration::from_secs(10_000);
        let url = origin.answers(&path, expiring_picture(1, lifetime).with_header("cache-control", "max-age=10000"));
        service.media(&url).await.is("miss");
        origin.answers(&path, picture(2).with_header("cache-control", newer));
        for _ in 0..2 {
            assert_eq!(service.media(&url).await.is("hit").body, png(1), "{name}");
        }
        assert_eq!(origin.requests(&path), 1, "{name}");
    }
}

#[tokio::test]
async fn a_stored_response_is_sent_with_its_age() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/other-age-gen.png", expiring_picture(1, 30 * DAY));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    service.stop().await;
    // Avoids waiting three seconds.
    let mut sidecar = dir.sidecar(&url);
    sidecar["ts"] = (sidecar["ts"].as_f64().unwrap() - 3.0).into();
    std::fs::write(dir.sidecar_file(&url), sidecar.to_string()).unwrap();
    std::fs::remove_file(dir.cache().join(INDEX_LOG)).unwrap();
    let answer = dir.serve().await.media(&url).await.is("hit");
    let age: u64 = answer.header("age").parse().unwrap_or_else(|error| panic!("{error}: {:?}", answer.headers));
    assert!((3..100).contains(&age), "{age}");
    assert_eq!(origin.requests("/other-age-gen.png"), 1);
}
