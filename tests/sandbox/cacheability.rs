//! The cacheability, lifetime and validators from the origin are stored with the entry and survive restarts.

use std::fs;

use media_cache::{CacheControl, Cacheability, FetchedMedia, StoreError, Validators};
use media_cache_test_support::cache_directory::{BOTH, INDEX_LOG, NEITHER, files_exist, sidecar};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::stats;
use media_cache_test_support::scripted_origin::fetched;

fn media(cacheability: Cacheability) -> FetchedMedia {
    FetchedMedia {
        cache_control: CacheControl { cacheability, max_age: Some(60), age: 5 },
        validators: Validators { etag: Some("W/\"1\"".into()), last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()) },
        ..fetched("bytes", "image/png", "a.png")
    }
}

#[tokio::test]
async fn private_media_stays_private_after_a_restart() {
    // Once with the index log, and once with the sidecar alone.
    for with_log in [true, false] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        rig.origin.serves("test:a", media(Cacheability::Private));
        let first = cache.get_or_download("test:a").await.unwrap();
        cache.close().await.unwrap();
        if !with_log {
            fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
        }
        let cache = rig.open().await;
        let from_disk = cache.get("test:a").await.unwrap().unwrap();
        let from_memory = cache.get("test:a").await.unwrap().unwrap();
        for media in [first, from_disk, from_memory] {
            assert_eq!(media.cache_control(), CacheControl { cacheability: Cacheability::Private, max_age: Some(60), age: 5 });
            let validators = media.validators();
            assert_eq!(validators.etag.as_deref(), Some("W/\"1\""));
            assert_eq!(validators.last_modified.as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        }
        let sidecar = sidecar(&rig.directory(), "test:a");
        assert_eq!((&sidecar["private"], &sidecar["max_age"], &sidecar["age"]), (&true.into(), &60.into(), &5.into()));
    }
}

#[tokio::test]
async fn no_store_media_is_returned_but_not_stored() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves("test:a", media(Cacheability::NoStore));
    for requests in 1..3 {
        let answer = cache.get_or_download("test:a").await.unwrap();
        assert_eq!((body(&answer).await, answer.cache_control().cacheability), (b"bytes".to_vec(), Cacheability::NoStore));
        assert_eq!(rig.origin.requests("test:a"), requests);
    }
    let outcome = cache.put_media("test:b", media(Cacheability::NoStore)).await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::NoStore)), "{:?}", outcome.not_stored);
    for url in ["test:a", "test:b"] {
        assert_eq!(files_exist(&rig.directory(), url), NEITHER);
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.no_store, stats.store_failures, stats.entries), (3, 0, 0));
}

#[tokio::test]
async fn put_media_keeps_its_cacheability_and_a_plain_put_has_the_default() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    cache.put_media("test:a", media(Cacheability::Private)).await.unwrap();
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    assert_eq!(cache.get("test:a").await.unwrap().unwrap().cache_control().cacheability, Cacheability::Private);
    cache.put("test:b", "bytes", "image/png", "b.png").await.unwrap();
    assert_eq!(cache.get("test:b").await.unwrap().unwrap().cache_control(), CacheControl::default());
}

#[tokio::test]
async fn validators_that_are_not_header_values_are_dropped() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let invalid = Validators { etag: Some("\"a\r\nx: y\"".into()), last_modified: Some("x".repeat(1025)) };
    rig.origin.serves("test:a", FetchedMedia { validators: invalid, ..media(Cacheability::Public) });
    assert_eq!(cache.get_or_download("test:a").await.unwrap().validators(), &Validators::default());
}
