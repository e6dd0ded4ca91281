//! A store that fails for a while.

use std::time::{Duration, Instant};

use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::soon::soon;

use crate::node::{Node, objects};

/// How long the store is gone; in a soak, a minute.
fn outage() -> Duration {
    let seconds = std::env::var("MEDIA_CACHE_TEST_OUTAGE_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn silent_store_delays_only_the_first_requests() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start_with(&store, &["--tier-timeout-ms", "300"]).await;
    store.fail(Fault::Silence);
    for number in 0..20 {
        let url = origin.serves(&format!("/{number}.png"), "image/png", png(number));
        assert_eq!(node.media(&url).await.body, png(number));
    }
    let (failed, paused) = (node.count("lookups", "failed").await, node.count("lookups", "paused").await);
    // More only if the other requests take longer than the pauses.
    assert!((5..=9).contains(&failed), "{failed} requests waited");
    assert_eq!(failed + paused, 20);
    let tier = node.tier().await;
    assert_eq!(tier["reads"]["state"], "unavailable");
    assert_eq!(tier["reads"]["reason"], "the store took longer than 300 ms to respond");
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["tier"]["reads"]["state"].clone()), (200, "unavailable".into()));
    let metrics = node.get("/metrics").await.body;
    assert!(String::from_utf8_lossy(&metrics).contains("media_cache_tier_available{operation=\"read\"} 0"));
    node.wait_for_log("the second tier failed 5 times in a row").await;
    store.recover();
    // The next request after the pause finds out.
    let mut number = 20;
    soon(async {
        while node.tier().await["reads"]["state"] != "available" {
            number += 1;
            node.media(&origin.serves(&format!("/{number}.png"), "image/png", png(1))).await.is("miss");
        }
    })
    .await;
    node.wait_for_log("the second tier can be used again").await;
}

#[tokio::test]
async fn store_that_is_gone_for_a_while_under_load_is_used_again() {
    let (origin, mut store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start(&store).await;
    let urls: Vec<String> = (0..2000).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    node.media(&urls[0]).await.is("miss");
    node.until_uploads("stored", 1).await;
    store.vanish();
    let (begun, pause) = (Instant::now(), Duration::from_millis(20));
    let mut number = 1;
    while begun.elapsed() < outage() {
        let asked = Instant::now();
        let media = node.media(&urls[number % urls.len()]).await;
        assert_eq!((media.status, &media.body), (200, &png(number as u64 % 2000).into()));
        assert!(asked.elapsed() < Duration::from_secs(20), "a request took {:?}", asked.elapsed());
        number += 1;
        tokio::time::sleep(pause).await;
    }
    assert_eq!(node.tier().await["reads"]["state"], "unavailable");
    store.return_after_vanishing().await;
    soon(async {
        while node.tier().await["reads"]["state"] != "available" {
            number += 1;
            node.media(&origin.serves(&format!("/more-{number}.png"), "image/png", png(1))).await;
        }
    })
    .await;
    // What was downloaded during the outage is uploaded.
    let [sidecar, _] = objects(&urls[1]);
    soon(async {
        while store.object(&sidecar).is_none() {
            tokio::time::sleep(pause).await
        }
    })
    .await;
}
