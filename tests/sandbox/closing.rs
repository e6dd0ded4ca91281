//! Closing: requests in progress are finished, and later ones are refused.

use std::pin::pin;

use futures::FutureExt;
use media_cache::CacheError;
use media_cache_test_support::cache_directory::{BOTH, LOCK, OWN_DIRECTORY, files_exist, listing};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::order;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn every_call_on_a_closed_cache_fails_with_closed() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    let clone = cache.clone();
    cache.close().await.unwrap();
    for cache in [cache, clone] {
        // The first entry is resident, but it is not served either.
        assert!(matches!(cache.get("test:a").await, Err(CacheError::Closed)));
        assert!(matches!(cache.get_or_download("test:b").await, Err(CacheError::Closed)));
        assert!(matches!(cache.put("test:b", "bytes", "text/plain", "b.txt").await, Err(CacheError::Closed)));
        assert!(matches!(cache.remove("test:a").await, Err(CacheError::Closed)));
        assert!(matches!(cache.entries(None, 10).await, Err(CacheError::Closed)));
        assert!(matches!(cache.checkpoint().await, Err(CacheError::Closed)));
        assert!(matches!(cache.status().await, Err(CacheError::Closed)));
        assert!(matches!(cache.close().await, Err(CacheError::Closed)));
    }
    assert_eq!(rig.origin.requests("test:b"), 0);
}

#[tokio::test]
async fn close_waits_for_a_download_in_progress_and_stores_it() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:b"]).await;
    let latch = rig.origin.hold("test:a");
    let mut asker = pin!(cache.get_or_download("test:a"));
    assert!(asker.as_mut().now_or_never().is_none());
    latch.reached().await;
    let mut closing = pin!(cache.close());
    assert!(closing.as_mut().now_or_never().is_none());
    // Once new requests are refused, closing has begun.
    let arrived = async {
        while !matches!(cache.status().now_or_never(), Some(Err(CacheError::Closed))) {
            tokio::task::yield_now().await;
        }
    };
    soon(arrived).await;
    assert!(closing.as_mut().now_or_never().is_none(), "the close waits for the download");
    assert!(matches!(cache.get("test:b").await, Err(CacheError::Closed)), "although the entry is resident");
    latch.open();
    let (answer, closed) = soon(async { (asker.await, closing.await) }).await;
    assert_eq!(body(&answer.unwrap()).await, text("test:a"));
    closed.unwrap();
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    assert_eq!(rig.open().await.load_report().unwrap().from_index, 2);
}

#[tokio::test]
async fn dropping_the_last_clone_closes_the_cache() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    {
        let mut asker = pin!(cache.get_or_download("test:a"));
        assert!(asker.as_mut().now_or_never().is_none());
        latch.reached().await;
    }
    drop(cache);
    latch.open();
    let cache = rig.open_when_free().await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().from_index), (1, 1));
    assert_eq!(order(&cache).await, ["test:a"]);
}

#[tokio::test]
async fn closing_an_empty_cache_leaves_only_its_lock_and_index_log_behind() {
    let rig = CacheRig::create();
    rig.open().await.close().await.unwrap();
    let names: Vec<_> = listing(&rig.directory()).into_keys().collect();
    assert_eq!(names, [OWN_DIRECTORY, LOCK]);
    let own: Vec<_> = listing(&rig.directory().join(OWN_DIRECTORY)).into_keys().collect();
    assert_eq!(own, ["index.log"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_completes_under_continuous_hits_while_a_download_ends() {
    for _ in 0..20 {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        fill(&cache, &["test:a"]).await;
        let latch = rig.origin.hold("test:b");
        let download = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_download("test:b").await }
        });
        latch.reached().await;
        let hammer = std::thread::spawn({
            let cache = cache.clone();
            // These hits need no call to the component, so they are ready immediately until the cache is closed.
            move || while let Some(Ok(Some(_))) = cache.get("test:a").now_or_never() {}
        });
        latch.open();
        soon(cache.close()).await.unwrap();
        soon(download).await.unwrap().unwrap();
        hammer.join().unwrap();
    }
}
