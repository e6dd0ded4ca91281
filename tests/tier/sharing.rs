//! Media that one service has downloaded is not downloaded again by another.

use http::Method;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::object_store::ObjectStore;
use media_cache_test_support::random::noise;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::node::{Node, objects};

/// Refreshes the entry of a URL.
async fn refresh(node: &Node, url: &str) -> Value {
    let path = format!("/refresh?url={}", utf8_percent_encode(url, NON_ALPHANUMERIC));
    send(node.request(Method::POST, &path)).await.json()
}

#[tokio::test]
async fn media_that_one_service_has_downloaded_comes_from_the_tier_at_another() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let page = Page::of("image/png", png(1)).with_header("etag", "\"a\"").with_header("cache-control", "max-age=60");
    let url = origin.answers("/a.png", page.with_header("content-disposition", "inline; filename=\"name.png\""));
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    // The objects are the files.
    for name in objects(&url) {
        let file = first.dir.cache().join(name.strip_prefix("media/").unwrap());
        assert_eq!(store.object(&name).unwrap(), std::fs::read(file).unwrap(), "{name}");
    }
    let (original, copy) = (first.media(&url).await, second.media(&url).await.is("tier"));
    assert_eq!((copy.status, &copy.body), (200, &original.body));
    for header in ["content-type", "content-disposition", "etag", "last-modified"] {
        assert_eq!(copy.header(header), original.header(header), "{header}");
    }
    assert!(copy.header("cache-control").starts_with("public, max-age="), "{}", copy.header("cache-control"));
    second.media(&url).await.is("hit");
    assert_eq!((origin.requests("/a.png"), second.count("lookups", "hit").await), (1, 1));
    assert_eq!(second.count("uploads", "stored").await, 0, "it is already there");
    assert_eq!(second.tier().await["received_bytes"], original.body.len());
}

#[tokio::test]
async fn media_from_the_tier_is_counted_and_reported_separately() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    // The second one arrives in a file.
    let urls =
        [png(1), [png(2), noise(2, 1 << 20)].concat()].map(|body| origin.serves(&format!("/{}", body.len()), "image/png", body));
    let (first, second) = (Node::start(&store).await, Node::start_with(&store, &["--log-requests", "misses"]).await);
    for url in &urls {
        first.media(url).await.is("miss");
    }
    first.until_uploads("stored", 2).await;
    let served = second.media(&urls[1]).await.is("tier").body.len();
    let metrics = String::from_utf8(second.get("/metrics").await.body.into()).unwrap();
    for line in [
        &format!("media_cache_served_bytes_total{{source=\"tier\"}} {served}"),
        "media_cache_served_bytes_total{source=\"origin\"} 0",
        "media_cache_requests_total{route=\"/media\",method=\"GET\",outcome=\"tier\"} 1",
        "media_cache_requests_total{route=\"/media\",method=\"GET\",outcome=\"miss\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    second.wait_for_log("outcome=\"tier\"").await;
    let (server, file) = (format!("http://{}", second.address()), second.dir.path("out"));
    for source in ["tier", "cache"] {
        let get =
            ["get", &urls[0], "--server", &server, "--token-file", second.token_file(), "--json", "-o", file.to_str().unwrap()];
        let got: Value = serde_json::from_str(&run(&get).await.succeeded_text()).unwrap();
        assert_eq!(got["source"], source);
    }
}

#[tokio::test]
async fn gif_is_shared_as_the_video_that_it_was_converted_to() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.gif", "image/gif", gif(&[10, 10]));
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    let original = first.media(&url).await;
    first.until_uploads("stored", 1).await;
    let copy = second.media(&url).await;
    assert_eq!((copy.header("content-type"), &copy.body), ("video/mp4", &original.body));
    assert_eq!(origin.requests("/a.gif"), 1);
    let stats = second.stats().await;
    assert_eq!(stats["transcodes"]["converted"].as_u64().unwrap_or(0), 0, "{stats}");
}

#[tokio::test]
async fn large_media_is_sent_in_parts() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let body = [png(1), noise(1, 20 << 20)].concat();
    let url = origin.serves("/large.png", "image/png", body.clone());
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    assert!(first.media(&url).await.body == body);
    first.until_uploads("stored", 1).await;
    assert_eq!(store.requests(&Method::PUT, ".dat"), 3, "three parts");
    assert!(second.media(&url).await.body == body);
    assert_eq!((origin.requests("/large.png"), second.count("lookups", "hit").await), (1, 1));
}

#[tokio::test]
async fn media_that_must_not_be_shared_does_not_enter_the_tier() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start(&store).await;
    for (path, cache_control) in [("/private.png", "private"), ("/no-store.png", "no-store")] {
        let url = origin.answers(path, Page::of("image/png", png(1)).with_header("cache-control", cache_control));
        node.media(&url).await.is("miss");
        node.media(&url).await.is("miss");
    }
    let url = origin.answers("/missing.png", Page::status(404));
    assert_eq!(node.media(&url).await.status, 404);
    node.put("https://example.org/put.png", "image/png", png(1)).await;
    // The last one is uploaded after anything before it.
    node.media(&origin.serves("/public.png", "image/png", png(1))).await.is("miss");
    node.until_uploads("stored", 1).await;
    assert_eq!(store.names().iter().filter(|name| name.ends_with(".json")).count(), 1, "{:?}", store.names());
}

#[tokio::test]
async fn media_that_a_service_does_not_accept_is_not_taken_from_the_tier() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let large = origin.serves("/large.png", "image/png", [png(1), noise(1, 2 << 20)].concat());
    let small = origin.serves("/small.png", "image/png", png(1));
    let first = Node::start(&store).await;
    first.media(&large).await.is("miss");
    first.media(&small).await.is("miss");
    first.until_uploads("stored", 2).await;
    for (arguments, url, status, lookups) in [
        (["--max-body-mb", "1"], &large, 413, 1),
        (["--accept-type", "image/jpeg"], &small, 415, 1),
        // This is decided before a lookup.
        (["--deny-host", "127.0.0.1"], &small, 403, 0),
    ] {
        let second = Node::start_with(&store, &arguments).await;
        let refused = second.media(url).await;
        assert_eq!(second.count("lookups", "refused").await, lookups, "{arguments:?}");
        assert_eq!(refused.status, status, "{arguments:?}: {:?}", refused.body);
    }
}

#[tokio::test]
async fn refresh_asks_the_origin_and_replaces_the_objects() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    origin.serves("/a.png", "image/png", png(2));
    assert_eq!(refresh(&first, &url).await["changed"], true);
    first.until_uploads("stored", 2).await;
    assert_eq!(second.media(&url).await.body, png(2));
    assert_eq!(origin.requests("/a.png"), 2);
}

#[tokio::test]
async fn refreshed_media_that_is_no_longer_public_leaves_the_tier() {
    for cache_control in ["private", "no-store"] {
        let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
        let url = origin.serves("/a.png", "image/png", png(1));
        let node = Node::start(&store).await;
        node.media(&url).await.is("miss");
        node.until_uploads("stored", 1).await;
        origin.answers("/a.png", Page::of("image/png", png(2)).with_header("cache-control", cache_control));
        refresh(&node, &url).await;
        assert_eq!(objects(&url).map(|name| store.object(&name)), [None, None], "{cache_control}");
    }
}

#[tokio::test]
async fn refresh_of_media_that_only_the_tier_has_asks_the_origin() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    origin.serves("/a.png", "image/png", png(2));
    assert_eq!(refresh(&second, &url).await["changed"], true);
    assert_eq!((second.media(&url).await.body, origin.requests("/a.png")), (png(2).into(), 2));
}

#[tokio::test]
async fn directory_can_be_a_tier() {
    let origin = HttpOrigin::start().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let shared = tempfile::tempdir().unwrap();
    let location = format!("file://{}", shared.path().display());
    let (first, second) = (Node::start_at(&location, &[], &[]).await, Node::start_at(&location, &[], &[]).await);
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    assert_eq!(second.media(&url).await.body, png(1));
    assert_eq!((origin.requests("/a.png"), second.count("lookups", "hit").await), (1, 1));
}

#[tokio::test]
async fn entries_that_wait_for_an_upload_are_uploaded_before_the_service_stops() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start_with(&store, &["--tier-uploads", "1"]).await;
    let urls: Vec<_> = (0..30).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    for url in &urls {
        node.media(url).await.is("miss");
    }
    node.service.stop().await;
    let missing: Vec<_> = urls.iter().flat_map(|url| objects(url)).filter(|name| store.object(name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let used = store.names().into_iter().find(|name| name.contains(".media-cache/usage/")).unwrap();
    assert_eq!(store.object(&used).unwrap().len(), 30 * 17, "a line for each entry");
}
