//! A disk that is smaller than the budget. Each test mounts its own small file system.

use std::fs;
use std::os::unix::fs::FileExt;

use media_cache::{CacheError, StoreError};
use media_cache_test_support::cache_directory::{BOTH, NEITHER, disk_usage, files_exist, listing};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::soon::soon;

use crate::small_disk::SmallDisk;

/// A rig on a small disk. Each entry takes 36 KiB, so seven fit.
fn rig(urls: &[&str]) -> Option<(SmallDisk, CacheRig)> {
    let rig = CacheRig::create();
    let disk = SmallDisk::mount(&rig.directory())?;
    for (seed, url) in urls.iter().enumerate() {
        rig.origin.serves_bytes(url, noise(seed as u64, 32 << 10));
    }
    Some((disk, rig))
}

/// Writes as much of a file as fits beside the cache's own files. Returns its length.
fn fill_up(rig: &CacheRig, bytes: &[u8]) -> usize {
    let file = fs::File::create(rig.directory().join("foreign")).unwrap();
    let mut length = 0;
    while let Ok(written @ 1..) = file.write_at(&bytes[length..], length as u64) {
        length += written;
    }
    assert!(length >= 192 << 10, "{length} bytes fit");
    length
}

const URLS: [&str; 8] = ["test:1", "test:2", "test:3", "test:4", "test:5", "test:6", "test:7", "test:8"];

#[tokio::test]
async fn full_disk_evicts_the_least_recently_used_entry() {
    let Some((_disk, rig)) = rig(&URLS) else { return };
    let cache = rig.open().await;
    fill(&cache, &URLS).await;
    assert_eq!(order(&cache).await, URLS[1..]);
    assert_eq!((files_exist(&rig.directory(), URLS[0]), files_exist(&rig.directory(), URLS[7])), (NEITHER, BOTH));
    let stats = stats(&cache).await;
    assert_eq!((stats.stored, stats.evictions, stats.store_failures), (8, 1, 0));
    assert_eq!(disk_usage(&rig.directory()), (stats.disk_bytes, 14));
}

#[tokio::test]
async fn media_is_served_but_not_stored_when_other_files_fill_the_disk() {
    let Some((_disk, rig)) = rig(&URLS) else { return };
    let cache = rig.open().await;
    let foreign = noise(9, 256 << 10);
    let length = fill_up(&rig, &foreign);
    for asked in 1..3 {
        assert_eq!(body(&cache.get_or_download("test:1").await.unwrap()).await, noise(0, 32 << 10));
        assert_eq!(rig.origin.requests("test:1"), asked);
    }
    let outcome = cache.put("test:2", "mine", "text/plain", "a.txt").await.unwrap();
    assert!(matches!(&outcome.not_stored, Some(StoreError::Disk(why)) if why.contains("full")), "{:?}", outcome.not_stored);
    let failed = stats(&cache).await;
    assert_eq!((failed.store_failures, failed.entries, failed.disk_bytes), (3, 0, 0));
    let names: Vec<_> = listing(&rig.directory()).into_keys().collect();
    assert_eq!(names, [".media-cache", "foreign", "media-cache.lock"], "no incomplete files");
    assert_eq!(fs::read(rig.directory().join("foreign")).unwrap(), foreign[..length]);

    // Without a log that it can write to, the cache cannot save its index.
    let closed = soon(cache.close()).await;
    let failed = matches!(closed, Err(CacheError::Store(StoreError::Disk(why))) if why.contains("full"));
    assert_eq!(failed, length == foreign.len(), "{length} bytes fit");
}

#[tokio::test]
async fn entries_are_stored_again_once_the_disk_has_free_space() {
    let Some((_disk, rig)) = rig(&URLS) else { return };
    let cache = rig.open().await;
    fill_up(&rig, &noise(9, 256 << 10));
    fill(&cache, &["test:1"]).await;
    fs::remove_file(rig.directory().join("foreign")).unwrap();
    fill(&cache, &["test:1", "test:2"]).await;
    assert_eq!(order(&cache).await, ["test:1", "test:2"]);
    soon(cache.close()).await.unwrap();
    assert_eq!(rig.open().await.load_report().unwrap().from_index, 2);
}
