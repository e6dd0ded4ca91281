//! Leases: of the services that share a tier, one asks the origin.

use std::time::{Duration, SystemTime};

use http::Method;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::random::noise;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::soon;

use crate::node::Node;

const ALWAYS: [&str; 2] = ["--tier-lease-kb", "0"];

fn lease(store: &ObjectStore) -> Option<String> {
    store.names().into_iter().find(|name| name.contains("/leases/"))
}

/// The number of requests for the lease of a URL.
fn lease_requests(store: &ObjectStore, url: &str) -> usize {
    store.requests(&Method::PUT, &sha256(url))
}

async fn until_leased(store: &ObjectStore) -> String {
    soon(async {
        loop {
            match lease(store) {
                Some(lease) => return lease,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn three_services_that_need_the_same_media_ask_the_origin_once() {
    for arguments in [ALWAYS, ["--tier-lease-host", "127.0.0.1"]] {
        let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
        let url = origin.serves("/a.png", "image/png", png(1));
        let latch = origin.hold("/a.png");
        let nodes = [
            Node::start_with(&store, &arguments).await,
            Node::start_with(&store, &arguments).await,
            Node::start_with(&store, &arguments).await,
        ];
        let [a, b, c] = &nodes;
        let open = async {
            latch.reached().await;
            // The two others have found the lease.
            soon(async {
                while lease_requests(&store, &url) < 3 {
                    tokio::task::yield_now().await
                }
            })
            .await;
            latch.open();
        };
        let (a, b, c, ()) = tokio::join!(a.media(&url), b.media(&url), c.media(&url), open);
        for media in [a, b, c] {
            assert_eq!((media.status, media.body), (200, png(1).into()));
        }
        assert_eq!(origin.requests("/a.png"), 1);
        let mut waited = 0;
        for node in &nodes {
            waited += node.count("leases", "waited").await;
        }
        assert_eq!(waited, 2);
        // It is given up when the media is uploaded.
        soon(async {
            while lease(&store).is_some() {
                tokio::task::yield_now().await
            }
        })
        .await;
    }
}

#[tokio::test]
async fn large_media_is_received_by_one_service() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let body = [png(1), noise(1, 3 << 20)].concat();
    let url = origin.serves("/a.png", "image/png", body.clone());
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    let (a, b) = tokio::join!(first.media(&url), second.media(&url));
    assert!(a.body == body && b.body == body);
    let granted = first.count("leases", "granted").await + second.count("leases", "granted").await;
    assert!(granted >= 1, "{granted}");
}

#[tokio::test]
async fn lease_of_a_service_that_was_killed_is_taken_over_when_it_has_expired() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let latch = origin.hold("/a.png");
    let (first, second) = (Node::start_with(&store, &ALWAYS).await, Node::start_with(&store, &ALWAYS).await);
    first.request_and_disconnect(&url, &latch).await;
    let lease = until_leased(&store).await;
    first.service.kill().await;
    store.set_modified(&lease, SystemTime::now() - Duration::from_secs(60));
    latch.open();
    assert_eq!(second.media(&url).await.body, png(1));
    assert_eq!((origin.requests("/a.png"), second.count("leases", "expired").await), (2, 1));
    second.until_uploads("stored", 1).await;
    soon(async {
        while self::lease(&store).is_some() {
            tokio::task::yield_now().await
        }
    })
    .await;
}

#[tokio::test]
async fn failed_download_of_the_holder_does_not_delay_others() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.answers("/a.png", media_cache_test_support::http_origin::Page::status(404));
    let latch = origin.hold("/a.png");
    let (first, second) = (Node::start_with(&store, &ALWAYS).await, Node::start_with(&store, &ALWAYS).await);
    let open = async {
        latch.reached().await;
        soon(async {
            while lease_requests(&store, &url) < 2 {
                tokio::task::yield_now().await
            }
        })
        .await;
        latch.open();
    };
    let (a, b, ()) = tokio::join!(first.media(&url), second.media(&url), open);
    assert_eq!((a.status, b.status, origin.requests("/a.png")), (404, 404, 2));
}

#[tokio::test]
async fn without_leases_each_service_asks_the_origin() {
    for fault in [403, 409, 500, 501].map(Fault::Status).into_iter().chain([Fault::Silence]) {
        let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
        let url = origin.serves("/a.png", "image/png", png(1));
        store.fail_only(fault, Method::PUT);
        let node = Node::start_with(&store, &[&ALWAYS[..], &["--tier-timeout-ms", "300"]].concat()).await;
        let media = node.media(&url).await;
        assert_eq!((media.status, media.body), (200, png(1).into()), "{fault:?}");
    }
}
