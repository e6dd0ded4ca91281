//! Requests while the directory is being loaded.

use std::sync::Arc;

use media_cache::{Source, StoreError};
use media_cache_test_support::cache_directory::{NEITHER, files_exist, media_file, sidecar_file, write_python_entry};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, order, stats};
use media_cache_test_support::file_faults::FaultyDisk;
use media_cache_test_support::random::noise;
use media_cache_test_support::soon::soon;

/// Enough entries for loading to take a while.
const ENTRIES: u64 = 12_000;

fn url(number: u64) -> String {
    format!("test:{number}")
}

/// A directory that no cache has loaded yet.
fn rig() -> CacheRig {
    let rig = CacheRig::create();
    for number in 0..ENTRIES {
        let ts = format!("{}.5", 1_700_000_000 + number);
        write_python_entry(&rig.directory(), &url(number), url(number).as_bytes(), "image/png", "a.png", &ts);
    }
    rig
}

#[tokio::test]
async fn stored_entries_are_served_before_the_directory_is_loaded() {
    let rig = rig();
    let cache = rig.start_with(|builder| builder).await;
    for number in [ENTRIES - 1, 0, ENTRIES / 2] {
        let media = cache.get_or_download(&url(number)).await.unwrap();
        assert!(cache.load_report().is_none(), "the directory is still being loaded");
        assert_eq!((body(&media).await, media.source, media.filename()), (url(number).into_bytes(), Source::Disk, "a.png"));
    }
    assert!(cache.get("test:unknown").await.unwrap().is_none());
    assert!(cache.load_report().is_none(), "the directory is still being loaded");
    let report = cache.loaded().await.unwrap();
    assert_eq!((report.entries, report.damaged), (ENTRIES, 0));
    // Entries requested in the meantime are the most recently used, in the order of the requests.
    let urls = order(&cache).await;
    assert_eq!(urls[urls.len() - 3..], [ENTRIES - 1, 0, ENTRIES / 2].map(url));
    assert_eq!(urls[..3], [1, 2, 3].map(url));
    let counters = stats(&cache).await;
    assert_eq!((counters.entries, counters.disk_bytes, counters.hits, counters.misses), (ENTRIES, ENTRIES * SMALL, 3, 1));
}

#[tokio::test]
async fn an_entry_removed_before_the_directory_is_loaded_does_not_reappear() {
    let rig = rig();
    let cache = rig.start_with(|builder| builder).await;
    assert!(cache.get(&url(7)).await.unwrap().is_some());
    for number in [7, 9] {
        assert!(cache.remove(&url(number)).await.unwrap(), "{number}");
        assert!(!cache.remove(&url(number)).await.unwrap(), "{number}");
    }
    assert!(!cache.remove("test:unknown").await.unwrap());
    assert!(cache.load_report().is_none(), "the directory is still being loaded");
    assert_eq!(cache.loaded().await.unwrap().entries, ENTRIES - 2);
    for number in [7, 9] {
        assert!(cache.get(&url(number)).await.unwrap().is_none());
        assert_eq!(files_exist(&rig.directory(), &url(number)), NEITHER);
    }
    cache.close().await.unwrap();
    assert_eq!(rig.open().await.load_report().unwrap().entries, ENTRIES - 2);
}

#[tokio::test]
async fn new_media_is_served_but_not_stored_until_the_directory_is_loaded() {
    let rig = rig();
    let cache = rig.start_with(|builder| builder).await;
    rig.origin.serves_bytes("test:new", b"new".to_vec());
    let media = cache.get_or_download("test:new").await.unwrap();
    assert_eq!((body(&media).await, cache.load_report().is_none()), (b"new".to_vec(), true));
    assert_eq!((stats(&cache).await.not_ready, files_exist(&rig.directory(), "test:new")), (1, NEITHER));
    let refreshed = cache.refresh("test:new").await.unwrap();
    assert!(matches!(refreshed.not_stored, Some(StoreError::NotReady)), "{:?}", refreshed.not_stored);
    cache.loaded().await.unwrap();
    fill(&cache, &["test:new"]).await;
    assert_eq!(order(&cache).await.last().map(String::as_str), Some("test:new"));
}

#[tokio::test]
async fn a_start_with_half_the_budget_evicts_while_serving_requests() {
    let rig = rig();
    let half = ENTRIES / 2;
    let cache = rig.start_with(|builder| entry_budget(builder, half * SMALL)).await;
    let media = cache.get(&url(0)).await.unwrap().unwrap();
    assert_eq!((body(&media).await, cache.load_report().is_none()), (url(0).into_bytes(), true));
    let report = cache.loaded().await.unwrap();
    assert_eq!((report.entries, report.evicted), (half, half));
    assert_eq!(
        order(&cache).await[..2],
        [half + 1, half + 2].map(url),
        "the oldest entries are gone, except the one that was requested"
    );
    assert!(cache.get(&url(0)).await.unwrap().is_some());
    assert_eq!(stats(&cache).await.disk_bytes, half * SMALL);
    let remaining = (0..ENTRIES).filter(|number| {
        let [media, sidecar] = [media_file(&rig.directory(), &url(*number)), sidecar_file(&rig.directory(), &url(*number))];
        media.exists() || sidecar.exists()
    });
    assert_eq!(remaining.count() as u64, half);
}

#[tokio::test]
async fn entry_evicted_by_the_load_while_a_request_reads_it_is_a_miss() {
    let rig = rig();
    // Small media is read by the thread that runs the component.
    write_python_entry(&rig.directory(), "test:first", &noise(1, 100_000), "image/png", "a.png", "1.5");
    rig.open().await.close().await.unwrap();
    let disk = Arc::<FaultyDisk>::default();
    disk.begin_after("read index.log", "read *.dat");
    disk.begin_after("read *.dat", "delete *.json");
    let cache = rig.start_with(|builder| entry_budget(builder, ENTRIES / 2 * SMALL).file_faults(disk.clone())).await;
    let media = soon(cache.get("test:first")).await.unwrap();
    assert!(media.is_none() && cache.load_report().is_none(), "the directory is still being loaded");
    assert_eq!(cache.loaded().await.unwrap().evicted, ENTRIES / 2 + 1);
    assert!(cache.get("test:first").await.unwrap().is_none());
    assert_eq!(files_exist(&rig.directory(), "test:first"), NEITHER);
    assert_eq!(stats(&cache).await.entries, entries(&cache).await.len() as u64);
}
