//! The service applies the `Cache-Control` of origins, and passes it on to clients.

use http::Method;
use media_cache_test_support::cache_directory::INDEX_LOG;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

/// An image with a `Cache-Control`.
fn picture(cache_control: &str) -> Page {
    Page::of("image/png", png(1)).with_header("cache-control", cache_control)
}

/// Asserts that the age of media is this many seconds, or a few more.
#[track_caller]
fn has_age(answer: &HttpResponse, seconds: u64) {
    let age: u64 = answer.header("age").parse().unwrap_or_else(|error| panic!("{:?}: {error}", answer.headers));
    assert!((seconds..seconds + 60).contains(&age), "{age}");
}

#[tokio::test]
async fn media_that_a_shared_cache_must_not_keep_is_served_and_not_stored() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let pages = [
        picture("no-store"),
        picture("No-StOrE"),
        picture("max-age=10000, no-store").with_header("expires", "Fri, 31 Dec 9999 23:59:59 GMT"),
        picture("private, max-age=3600"),
        picture("public").with_header("cache-control", "no-store"),
    ];
    for (number, page) in pages.into_iter().enumerate() {
        let path = format!("/{number}.png");
        let url = origin.answers(&path, page);
        for requests in 1..3 {
            let answer = service.media(&url).await.is("miss");
            assert_eq!((answer.header("cache-control"), answer.header("age")), ("private, no-store", ""));
            assert_eq!((&answer.body[..], origin.requests(&path)), (&png(1)[..], requests), "{path}");
        }
        assert!(!dir.holds(&url), "{path}");
    }
    let stats = service.stats().await;
    assert_eq!((&stats["storage"]["no_store"], &stats["media_cache"]["memory_bytes"]), (&10.into(), &0.into()));
}

#[tokio::test]
async fn no_store_media_is_served_to_every_coalesced_request() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/a.png", picture("no-store"));
    let latch = origin.hold("/a.png");
    let service = dir.serve().await;
    let first = service.media(&url);
    let others = async {
        latch.reached().await;
        let release = async {
            soon(async { while service.stats().await["downloads"]["coalesced"] != 2 {} }).await;
            latch.open();
        };
        futures::future::join3(service.media(&url), service.media(&url), release).await
    };
    let (first, (second, third, ())) = futures::future::join(first, others).await;
    for answer in [first, second, third] {
        assert_eq!(answer.is("miss").body, png(1));
    }
    assert_eq!(origin.requests("/a.png"), 1);
}

#[tokio::test]
async fn cache_control_lifetime_is_at_most_that_of_the_origin() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let old = Page::of("image/png", png(1))
        .with_header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .with_header("expires", "Tue, 06 Dec 1994 08:49:37 GMT");
    for (path, page, expected, age) in [
        ("/a.png", picture("max-age=60"), "public, max-age=60", Some(0)),
        ("/b.png", picture("max-age=6000").with_header("age", "500"), "public, max-age=6000", Some(500)),
        ("/c.png", picture("s-maxage=7, max-age=60"), "public, max-age=7", Some(0)),
        ("/d.png", picture("no-cache"), "public, no-cache", None),
        ("/e.png", picture("max-age=0, must-revalidate"), "public, no-cache", None),
        ("/f.png", picture("public"), "public, max-age=86400", None),
        ("/g.png", Page::of("image/png", png(1)), "public, max-age=86400", None),
        ("/h.png", Page::of("image/png", png(1)).with_header("pragma", "no-cache"), "public, no-cache", None),
        // The origin allows a month from its date. The limit of a day from now is reached earlier.
        ("/i.png", old, "public, max-age=864", Some(0)),
    ] {
        let url = origin.answers(path, page);
        for cache in ["miss", "hit", "hit"] {
            let answer = service.media(&url).await.is(cache);
            let cache_control = answer.header("cache-control");
            let is_expected = if path == "/i.png" { cache_control.starts_with(expected) } else { cache_control == expected };
            assert!(is_expected, "{path}: {cache_control}");
            match age {
                Some(age) => has_age(&answer, age),
                None => assert_eq!(answer.header("age"), "", "{path}"),
            }
        }
        let tag = service.media(&url).await.header("etag").to_owned();
        let confirmed = send(service.media_request(Method::GET, &url).header("if-none-match", &tag)).await;
        assert_eq!((confirmed.status, confirmed.header("age").is_empty()), (304, age.is_none()), "{path}");
        assert_eq!(origin.requests(path), 1, "{path}");
    }
}

#[tokio::test]
async fn age_of_media_continues_across_a_restart() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/a.png", picture("max-age=6000").with_header("age", "30").with_header("etag", "\"1\""));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    service.stop().await;
    std::fs::remove_file(dir.cache().join(INDEX_LOG)).unwrap();
    let mut sidecar = dir.sidecar(&url);
    assert_eq!((&sidecar["max_age"], &sidecar["age"], &sidecar["etag"]), (&6000.into(), &30.into(), &"\"1\"".into()));
    sidecar["ts"] = (sidecar["ts"].as_f64().unwrap() - 1000.0).into();
    std::fs::write(dir.sidecar_file(&url), sidecar.to_string()).unwrap();
    let service = dir.serve().await;
    for _ in 0..2 {
        let answer = service.media(&url).await.is("hit");
        assert_eq!(answer.header("cache-control"), "public, max-age=6000");
        has_age(&answer, 1030);
    }
}

#[tokio::test]
async fn media_is_stored_for_a_day_if_origin_cache_control_is_ignored() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--origin-cache-control", "ignore"]).await;
    for (path, cache_control) in [("/a.png", "no-store"), ("/b.png", "private"), ("/c.png", "max-age=60"), ("/d.png", "no-cache")] {
        let url = origin.answers(path, picture(cache_control).with_header("age", "30"));
        for cache in ["miss", "hit"] {
            let answer = service.media(&url).await.is(cache);
            assert_eq!((answer.header("cache-control"), answer.header("age")), ("public, max-age=86400", ""), "{path}");
        }
        assert_eq!((dir.holds(&url), origin.requests(path)), (true, 1), "{path}");
    }
}
