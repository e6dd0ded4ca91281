//! A request for an entry whose files are missing, truncated or changed is a miss, and never returns wrong bytes.

use std::fs;
use std::sync::Arc;

use media_cache::{Health, MediaCache, Source};
use media_cache_test_support::cache_directory::{
    BOTH, INDEX_LOG, NEITHER, files_exist, media_file, sidecar_file, write_python_entry,
};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::file_faults::FaultyDisk;
use media_cache_test_support::scripted_origin::text;

/// A cache with one entry and no residents, so that requests read from disk.
async fn with_one_entry() -> (CacheRig, MediaCache) {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    (rig, cache)
}

/// Requests the damaged entry with `get` and `get_or_download`, and asserts that it is dropped and then fetched again.
async fn assert_dropped(rig: &CacheRig, cache: &MediaCache) {
    assert!(cache.get("test:a").await.unwrap().is_none());
    assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
    let dropped = stats(cache).await;
    assert_eq!((dropped.damaged, dropped.hits, dropped.misses), (1, 0, 2));
    assert_eq!((dropped.entries, dropped.disk_bytes, dropped.media_bytes), (0, 0, 0));
    assert_eq!(dropped.evictions, 0, "it was dropped, not evicted");

    let media = cache.get_or_download("test:a").await.unwrap();
    assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Origin));
    assert_eq!((rig.origin.requests("test:a"), files_exist(&rig.directory(), "test:a")), (2, BOTH));
    assert!(cache.get("test:a").await.unwrap().is_some());
    assert_eq!(stats(cache).await.damaged, 1);
}

#[tokio::test]
async fn entry_whose_media_file_is_missing_is_a_miss() {
    let (rig, cache) = with_one_entry().await;
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    assert_dropped(&rig, &cache).await;
}

#[tokio::test]
async fn entry_whose_media_file_is_too_short_is_a_miss() {
    let (rig, cache) = with_one_entry().await;
    let whole = text("test:a");
    fs::write(media_file(&rig.directory(), "test:a"), &whole[..whole.len() - 1]).unwrap();
    assert_dropped(&rig, &cache).await;
}

#[tokio::test]
async fn entry_whose_media_file_shrinks_while_it_is_read_is_dropped_without_degrading_health() {
    // With 0 items in memory, only the digest of the file is computed. With 64, the file is loaded.
    for items in [0, 64] {
        let (rig, disk) = (CacheRig::after_a_run(&["test:a"]).await, Arc::<FaultyDisk>::default());
        let cache = rig.open_with(|builder| builder.max_memory_items(items).file_faults(disk.clone())).await;
        let media = media_file(&rig.directory(), "test:a");
        disk.fail(move |name| {
            if name == "read *.dat" {
                fs::write(&media, "short").unwrap();
            }
            None
        });
        assert!(cache.get("test:a").await.unwrap().is_none());
        assert!(matches!(cache.health().await.unwrap(), Health::Storing), "{items}");
        assert_eq!((stats(&cache).await.damaged, files_exist(&rig.directory(), "test:a")), (1, NEITHER), "{items}");
    }
}

#[tokio::test]
async fn entry_whose_media_file_is_too_long_is_a_miss() {
    let (rig, cache) = with_one_entry().await;
    fs::write(media_file(&rig.directory(), "test:a"), [text("test:a").as_slice(), b"!"].concat()).unwrap();
    assert_dropped(&rig, &cache).await;
}

#[tokio::test]
async fn entry_whose_bytes_changed_at_the_same_size_is_a_miss() {
    let (rig, cache) = with_one_entry().await;
    let mut changed = text("test:a");
    changed[0] ^= 1;
    fs::write(media_file(&rig.directory(), "test:a"), changed).unwrap();
    assert_dropped(&rig, &cache).await;
}

#[tokio::test]
async fn truncated_entry_without_a_digest_is_detected_by_its_size() {
    let rig = CacheRig::create();
    write_python_entry(&rig.directory(), "test:a", b"bytes", "image/png", "a.png", "1700000000.5");
    let cache = rig.open().await;
    fs::write(media_file(&rig.directory(), "test:a"), "byte").unwrap();
    assert!(cache.get("test:a").await.unwrap().is_none());
    assert_eq!((stats(&cache).await.damaged, files_exist(&rig.directory(), "test:a")), (1, NEITHER));
}

#[tokio::test]
async fn changed_bytes_are_detected_in_entries_kept_as_open_files() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0).max_memory_bytes(0)).await;
    fill(&cache, &["test:a"]).await;
    let mut changed = text("test:a");
    changed[0] ^= 1;
    fs::write(media_file(&rig.directory(), "test:a"), changed).unwrap();
    assert_dropped(&rig, &cache).await;
}

#[tokio::test]
async fn a_link_in_place_of_a_media_file_is_not_followed() {
    let (rig, cache) = with_one_entry().await;
    let target = rig.root().join("elsewhere");
    fs::write(&target, text("test:a")).unwrap();
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    std::os::unix::fs::symlink(&target, media_file(&rig.directory(), "test:a")).unwrap();
    assert_dropped(&rig, &cache).await;
    assert_eq!(fs::read(target).unwrap(), text("test:a"));
}

#[tokio::test]
async fn get_or_download_refetches_an_entry_without_its_file_and_counts_one_miss() {
    let (rig, cache) = with_one_entry().await;
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    let media = cache.get_or_download("test:a").await.unwrap();
    assert_eq!(media.source, Source::Origin);
    let stats = stats(&cache).await;
    assert_eq!((stats.damaged, stats.hits, stats.misses, stats.downloads), (1, 0, 2, 2));
}

#[tokio::test]
async fn concurrent_gets_of_an_entry_without_its_file_count_it_as_damaged_once() {
    let (rig, cache) = with_one_entry().await;
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    for answer in futures::future::join_all((0..20).map(|_| cache.get("test:a"))).await {
        assert!(answer.unwrap().is_none());
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.damaged, stats.misses), (1, 21));
}

#[tokio::test]
async fn put_replaces_an_entry_whose_file_is_missing() {
    let (rig, cache) = with_one_entry().await;
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    let outcome = cache.put("test:a", "new bytes", "text/plain", "a.txt").await.unwrap();
    assert!(!outcome.known);
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, b"new bytes");
    assert_eq!(stats(&cache).await.damaged, 1);
}

#[tokio::test]
async fn resident_entry_is_served_after_its_file_is_removed() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    fs::remove_file(media_file(&rig.directory(), "test:a")).unwrap();
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"));
    assert_eq!(stats(&cache).await.damaged, 0);
}

#[tokio::test]
async fn damaged_sidecar_is_detected_once_the_entry_is_no_longer_resident() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b"]).await;
    fs::write(sidecar_file(&rig.directory(), "test:a"), "no more than a few words").unwrap();
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"));
    cache.close().await.unwrap();

    let cache = rig.open().await;
    // The directory has not changed, so no file was checked.
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().damaged), (2, 0));
    assert!(cache.get("test:a").await.unwrap().is_none());
    assert_eq!(order(&cache).await, ["test:b"]);
    assert_eq!((stats(&cache).await.damaged, files_exist(&rig.directory(), "test:a")), (1, NEITHER));
}

#[tokio::test]
async fn start_without_an_index_log_drops_an_entry_with_a_damaged_sidecar() {
    let (rig, cache) = with_one_entry().await;
    fill(&cache, &["test:b"]).await;
    cache.close().await.unwrap();
    fs::write(sidecar_file(&rig.directory(), "test:a"), "no more than a few words").unwrap();
    fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open().await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().damaged), (1, 1));
    assert_eq!(order(&cache).await, ["test:b"]);
    assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
}
