//! Replaces the cache component during a refresh.

use std::sync::Arc;

use media_cache::{CacheError, MediaCache, RefreshOutcome};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{entries, stats, until};
use media_cache_test_support::file_faults::{EndFaults, Fault, FaultyDisk};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::{eventually, soon};
use tokio::task::JoinHandle;

use crate::component::OTHER;

fn refresh(cache: &MediaCache) -> JoinHandle<Result<RefreshOutcome, CacheError>> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.refresh("x:a").await })
}

#[tokio::test]
async fn refresh_in_progress_is_repeated_by_the_new_component() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["x:a", "x:a", "x:a"]).await;
    rig.origin.serves_bytes("x:a", b"new".to_vec());
    let latch = rig.origin.hold("x:a");
    let refresh = refresh(&cache);
    latch.reached().await;
    cache.swap_component(OTHER.clone()).await.unwrap();
    latch.open();
    let outcome = soon(refresh).await.unwrap().unwrap();
    assert!(outcome.modified && outcome.not_stored.is_none(), "{outcome:?}");
    assert_eq!(body(&cache.get("x:a").await.unwrap().unwrap()).await, b"new");
    let listed = entries(&cache).await;
    assert_eq!((listed.len(), listed[0].hits), (1, 3), "it is the same entry");
    let stats = until(&cache, |stats| stats.downloads == 3).await;
    assert_eq!((stats.refreshes_modified, stats.refresh_failures, stats.refreshes_unmodified), (1, 0, 0));
}

#[tokio::test]
async fn refresh_of_missing_media_that_waited_until_a_swap_is_fetched_only_by_the_new_component() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("x:a");
    let download = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_download("x:a").await })
    };
    latch.reached().await;
    let refresh = refresh(&cache);
    // Once a later call has been answered, the refresh is waiting for the download.
    stats(&cache).await;
    cache.swap_component(OTHER.clone()).await.unwrap();
    latch.open();
    assert_eq!(body(&soon(download).await.unwrap().unwrap()).await, text("x:a"));
    let outcome = soon(refresh).await.unwrap().unwrap();
    assert!(outcome.not_stored.is_none() && body(&outcome.media).await == text("x:a"), "{outcome:?}");
    assert_eq!(rig.origin.requests("x:a"), 2, "one for each request");
    let stats = until(&cache, |stats| stats.downloads == 2).await;
    assert_eq!(stats.refresh_failures, 0);
}

#[tokio::test]
async fn refresh_that_reads_the_stored_media_until_a_swap_is_fetched_only_by_the_new_component() {
    let rig = CacheRig::create();
    let media = noise(1, 100_000);
    rig.origin.serves_bytes("x:a", media.clone());
    let cache = rig.open().await;
    fill(&cache, &["x:a"]).await;
    cache.close().await.unwrap();
    let disk = Arc::<FaultyDisk>::default();
    let _end = EndFaults(disk.clone());
    let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
    disk.fail(|name| (name == "read *.dat").then_some(Fault::Hang));
    let refresh = refresh(&cache);
    eventually(|| disk.failed() == 1).await;
    soon(cache.swap_component(OTHER.clone())).await.unwrap();
    disk.work();
    let outcome = soon(refresh).await.unwrap().unwrap();
    assert!(outcome.not_stored.is_none() && body(&outcome.media).await == media, "{outcome:?}");
    assert_eq!(rig.origin.requests("x:a"), 2, "one for the download, and one for the refresh");
}
