//! A refresh that fails, lacks space or coincides with a removal keeps the stored media or stores it again.

use std::fs;

use futures::future::join;
use media_cache::{CacheControl, CacheError, Cacheability, EntryFilter, FetchError, FetchedMedia, Health, MediaCache, StoreError};
use media_cache_test_support::cache_directory::{disk_usage, media_file, sidecar_file};
use media_cache_test_support::cache_requests::{body, failure, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::fetched;

use crate::refresh::{URL, serves, version, with_first_version};

async fn refresh_failure(cache: &MediaCache) -> FetchError {
    match cache.refresh(URL).await {
        Err(CacheError::Fetch(error)) => error,
        other => panic!("the refresh did not fail: {other:?}"),
    }
}

#[tokio::test]
async fn failed_refresh_keeps_the_stored_entry_and_is_not_remembered() {
    let (rig, cache) = with_first_version().await;
    let before = fs::read(sidecar_file(&rig.directory(), URL)).unwrap();
    rig.origin.fails(URL, FetchError::Gone);
    for requests in 2..4 {
        assert_eq!(refresh_failure(&cache).await, FetchError::Gone);
        assert_eq!(rig.origin.requests(URL), requests);
    }
    serves(&cache, "first").await;
    assert_eq!(fs::read(sidecar_file(&rig.directory(), URL)).unwrap(), before);
    rig.origin.serves(URL, fetched("", "image/png", "a.png"));
    assert_eq!(refresh_failure(&cache).await, FetchError::EmptyBody);
    let counters = stats(&cache).await;
    assert_eq!((counters.refresh_failures, counters.download_failures, counters.entries), (3, 3, 1));
    cache.remove(URL).await.unwrap();
    rig.origin.serves(URL, version(2, "second"));
    fill(&cache, &[URL]).await;
    assert_eq!(stats(&cache).await.remembered_failures, 0);
}

#[tokio::test]
async fn refresh_ignores_a_remembered_failure_and_stores_the_media() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails(URL, FetchError::Gone);
    failure(&cache, URL).await;
    rig.origin.serves(URL, version(1, "first"));
    failure(&cache, URL).await;
    let outcome = cache.refresh(URL).await.unwrap();
    assert!(outcome.modified && outcome.not_stored.is_none());
    serves(&cache, "first").await;
    assert_eq!(rig.origin.requests(URL), 2);
}

#[tokio::test]
async fn no_store_media_does_not_replace_the_stored_entry() {
    let no_store = CacheControl { cacheability: Cacheability::NoStore, ..CacheControl::default() };
    let (rig, cache) = with_first_version().await;
    rig.origin.serves(URL, FetchedMedia { cache_control: no_store, ..version(2, "second") });
    let outcome = cache.refresh(URL).await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::NoStore)), "{:?}", outcome.not_stored);
    assert_eq!(outcome.media.cache_control().cacheability, Cacheability::NoStore);
    serves(&cache, "first").await;
    assert_eq!(cache.get(URL).await.unwrap().unwrap().cache_control().cacheability, Cacheability::Public);
    assert_eq!(stats(&cache).await.refresh_failures, 1);
}

#[tokio::test]
async fn revalidation_can_only_tighten_cache_control() {
    use Cacheability::{NoStore, Private, Public};
    let with = |cacheability| CacheControl { cacheability, ..CacheControl::default() };
    for (stored, confirmed, expected) in
        [(Public, Public, Public), (Public, Private, Private), (Public, NoStore, Private), (Private, Public, Private)]
    {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        rig.origin.serves(URL, FetchedMedia { cache_control: with(stored), ..version(1, "first") });
        fill(&cache, &[URL]).await;
        rig.origin.confirms(URL, with(confirmed));
        let outcome = cache.refresh(URL).await.unwrap();
        assert!(!outcome.modified && outcome.not_stored.is_none(), "{stored:?} {confirmed:?}");
        cache.close().await.unwrap();
        let again = rig.open().await.get(URL).await.unwrap().unwrap();
        assert_eq!(again.cache_control().cacheability, expected, "{stored:?} {confirmed:?}");
    }
}

#[tokio::test]
async fn refresh_stores_its_entry_again_if_it_was_removed_in_the_meantime() {
    for is_confirmed in [true, false] {
        let (rig, cache) = with_first_version().await;
        if is_confirmed {
            rig.origin.confirms(URL, CacheControl::default());
        }
        let latch = rig.origin.hold(URL);
        let removal = async {
            latch.reached().await;
            assert!(cache.remove(URL).await.unwrap());
            latch.open();
        };
        let (outcome, ()) = join(cache.refresh(URL), removal).await;
        let outcome = outcome.unwrap();
        assert!(outcome.modified && outcome.not_stored.is_none());
        serves(&cache, "first").await;
        assert_eq!(rig.origin.requests(URL), if is_confirmed { 3 } else { 2 });
        assert_eq!(stats(&cache).await.disk_bytes, disk_usage(&rig.directory()).0);
    }
}

#[tokio::test]
async fn old_and_new_version_both_count_against_the_budget_during_a_refresh() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 4 * SMALL)).await;
    rig.origin.serves(URL, version(1, "first"));
    fill(&cache, &["test:b", "test:c", "test:d", URL]).await;
    rig.origin.serves(URL, version(2, noise(1, 8000)));
    assert!(cache.refresh(URL).await.unwrap().not_stored.is_none());
    assert_eq!(order(&cache).await, ["test:d", URL], "the new files took the space of two entries");
    assert_eq!(entries(&cache).await[1].disk_size, SMALL + 4096);
    assert_eq!(stats(&cache).await.disk_bytes, disk_usage(&rig.directory()).0);

    rig.origin.serves(URL, version(3, noise(2, 20_000)));
    let outcome = cache.refresh(URL).await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::Oversize(budget)) if budget == 4 * SMALL), "{:?}", outcome.not_stored);
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, noise(1, 8000));
    assert_eq!(order(&cache).await, ["test:d", URL]);
}

#[tokio::test]
async fn refresh_that_cannot_be_written_keeps_the_stored_version() {
    for name in ["dat.new", "json.new.tmp", "json.new"] {
        let (rig, cache) = with_first_version().await;
        let obstacle = media_file(&rig.directory(), URL).with_extension(name);
        fs::create_dir(&obstacle).unwrap();
        rig.origin.serves(URL, version(2, "second"));
        let outcome = cache.refresh(URL).await.unwrap();
        assert!(matches!(outcome.not_stored, Some(StoreError::Disk(_))), "{name}: {:?}", outcome.not_stored);
        assert_eq!(body(&outcome.media).await, b"second");
        serves(&cache, "first").await;
        let health = cache.health().await.unwrap();
        assert!(matches!(health, Health::Degraded(_)), "{health:?}");
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(stats(&cache).await.disk_bytes, disk_usage(&rig.directory()).0, "the new files were removed");
        assert!(cache.refresh(URL).await.unwrap().not_stored.is_none());
        serves(&cache, "second").await;
        assert!(matches!(cache.health().await.unwrap(), Health::Storing));
    }
}

#[tokio::test]
async fn removal_of_all_entries_during_a_refresh_keeps_disk_usage_exact() {
    let (rig, cache) = with_first_version().await;
    rig.origin.serves(URL, version(2, noise(1, 1 << 20)));
    let (refreshed, removed) = join(cache.refresh(URL), cache.remove_matching(EntryFilter::All)).await;
    assert!(refreshed.is_ok() && removed.is_ok());
    let stats = stats(&cache).await;
    assert_eq!((stats.disk_bytes, 2 * stats.entries), (disk_usage(&rig.directory()).0, disk_usage(&rig.directory()).1 as u64));
}
