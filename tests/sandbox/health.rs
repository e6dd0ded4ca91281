//! Health: whether new media is stored and, if not, why and since when.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use media_cache::{Blob, CacheError, Health, MediaCache, StoreError};
use media_cache_test_support::cache_directory::{NEITHER, files_exist, make_undeletable, media_file, sidecar_file};
use media_cache_test_support::cache_requests::fill;
use media_cache_test_support::cache_rig::{CacheRig, SMALL};
use media_cache_test_support::cache_state::stats;

async fn degradation(cache: &MediaCache) -> Option<(String, u64)> {
    match cache.health().await.unwrap() {
        Health::Degraded(degradation) => Some((degradation.reason, degradation.since)),
        Health::Storing => None,
        Health::Recovering => panic!("an open cache is loaded"),
    }
}

#[tokio::test]
async fn health_is_degraded_from_a_failed_store_to_the_next_successful_one() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    assert_eq!(degradation(&cache).await, None);
    let blocked = media_file(&rig.directory(), "test:a").with_extension("json.tmp");
    fs::create_dir(&blocked).unwrap();
    let since = rig.clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    for _ in 0..2 {
        cache.get_or_download("test:a").await.unwrap();
        let (reason, failed_at) = degradation(&cache).await.unwrap();
        assert!(reason.starts_with("cannot store the entry: "), "{reason}");
        assert_eq!(failed_at, since);
    }
    fill(&cache, &["test:b"]).await;
    assert_eq!(degradation(&cache).await, None);
}

#[tokio::test]
async fn health_recovers_without_a_request_once_the_disk_works_again() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let blocked = media_file(&rig.directory(), "test:a").with_extension("json.tmp");
    fs::create_dir(&blocked).unwrap();
    cache.get_or_download("test:a").await.unwrap();
    assert!(degradation(&cache).await.is_some());
    rig.clock.advance(Duration::from_secs(1));
    cache.checkpoint().await.unwrap();
    assert_eq!(degradation(&cache).await, None);
}

#[tokio::test]
async fn undeletable_files_count_as_disk_usage_and_degrade_health_until_deleted() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    make_undeletable(&rig.directory(), "test:a");
    assert!(matches!(cache.remove("test:a").await, Err(CacheError::Store(StoreError::Disk(_)))));
    let (reason, _) = degradation(&cache).await.unwrap();
    assert!(reason.starts_with("cannot delete "), "{reason}");
    assert_eq!((stats(&cache).await.entries, stats(&cache).await.disk_bytes), (0, SMALL));
    fs::remove_dir(sidecar_file(&rig.directory(), "test:a")).unwrap();
    rig.clock.advance(Duration::from_secs(1));
    cache.checkpoint().await.unwrap();
    assert_eq!(degradation(&cache).await, None);
    assert_eq!((stats(&cache).await.disk_bytes, files_exist(&rig.directory(), "test:a")), (0, NEITHER));
}

#[tokio::test]
async fn unreadable_request_body_does_not_degrade_health() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let path = rig.root().join("upload");
    fs::write(&path, vec![1; 100_000]).unwrap();
    let blob = Blob::from_file(Arc::new(File::options().read(true).write(true).open(&path).unwrap())).unwrap();
    fs::write(&path, "short").unwrap();
    let outcome = cache.put("test:a", blob, "image/png", "a.png").await.unwrap();
    assert!(outcome.not_stored.is_some());
    assert_eq!(degradation(&cache).await, None);
}
