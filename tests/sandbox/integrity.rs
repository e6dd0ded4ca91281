//! The background check finds media that was damaged on disk, without delaying requests.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use media_cache::{IntegrityReport, MediaCache, Source};
use media_cache_test_support::cache_directory::{BOTH, NEITHER, files_exist, media_file, write_python_entry};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, bytes};
use media_cache_test_support::cache_state::{order, resident, stats};
use media_cache_test_support::file_faults::{EndFaults, Fault, FaultyDisk};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::{eventually, soon};
use tokio::sync::oneshot;

/// Opens a cache that checks entries as fast as it can, and waits until it has checked all of them.
async fn checked(rig: &CacheRig) -> (MediaCache, IntegrityReport) {
    let cache = rig.open_with(|builder| builder.integrity_check_rate(bytes(u64::MAX))).await;
    eventually(|| cache.integrity().passes > 0).await;
    let report = cache.integrity();
    assert!(report.last_pass.is_some());
    (cache, report)
}

fn flip(rig: &CacheRig, url: &str) {
    let file = media_file(&rig.directory(), url);
    let mut media = fs::read(&file).unwrap();
    *media.last_mut().unwrap() ^= 1;
    fs::write(file, media).unwrap();
}

#[tokio::test]
async fn integrity_check_drops_a_damaged_entry_which_is_refetched_on_request() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c"]).await;
    flip(&rig, "test:b");
    let (cache, report) = checked(&rig).await;
    assert_eq!((report.intact, report.damaged, report.unreadable), (2, 1, 0));
    assert_eq!(files_exist(&rig.directory(), "test:b"), NEITHER);
    assert_eq!(order(&cache).await, ["test:a", "test:c"]);
    assert_eq!(stats(&cache).await.damaged, 1);
    let media = cache.get_or_download("test:b").await.unwrap();
    assert_eq!((body(&media).await, media.source), (text("test:b"), Source::Origin));
    assert_eq!(files_exist(&rig.directory(), "test:b"), BOTH);
}

#[tokio::test]
async fn integrity_check_changes_neither_order_nor_counters_nor_residents() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    let before = {
        let cache = rig.open().await;
        let before = (order(&cache).await, stats(&cache).await);
        cache.close().await.unwrap();
        before
    };
    let (cache, report) = checked(&rig).await;
    let after = (order(&cache).await, stats(&cache).await);
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!((report.intact, report.damaged), (2, 0));
    assert_eq!(resident(&cache).await, Vec::<String>::new());
    assert_eq!(cache.status().await.unwrap().blob_handles, 0);
}

#[tokio::test]
async fn integrity_check_compares_sizes_of_entries_without_a_digest() {
    let rig = CacheRig::create();
    write_python_entry(&rig.directory(), "test:a", b"bytes", "image/png", "a.png", "1700000000.5");
    write_python_entry(&rig.directory(), "test:b", b"bytes", "image/png", "b.png", "1700000000.5");
    let cache = rig.open().await;
    cache.close().await.unwrap();
    fs::write(media_file(&rig.directory(), "test:b"), "byte").unwrap();
    let (cache, report) = checked(&rig).await;
    assert_eq!((report.intact, report.damaged), (1, 1));
    assert_eq!(order(&cache).await, ["test:a"]);
}

#[tokio::test]
async fn refreshes_during_an_integrity_check_lose_nothing() {
    let rig = CacheRig::create();
    let urls: Vec<String> = (0..40).map(|number| format!("test:{number}")).collect();
    for url in &urls {
        rig.origin.serves_bytes(url, noise(1, 30_000));
    }
    let open = |builder: media_cache::Builder| builder.integrity_check_rate(bytes(u64::MAX)).max_memory_items(2);
    let cache = rig.open_with(open).await;
    let fetched = urls.iter().map(|url| cache.get_or_download(url));
    futures::future::join_all(fetched).await.into_iter().for_each(|media| drop(media.unwrap()));
    cache.close().await.unwrap();
    let cache = rig.open_with(open).await;
    for (seed, url) in urls.iter().enumerate() {
        rig.origin.serves_bytes(url, noise(seed as u64, 30_000));
    }
    let refreshes = urls.iter().map(|url| cache.refresh(url));
    futures::future::join_all(refreshes).await.into_iter().for_each(|outcome| assert!(outcome.unwrap().not_stored.is_none()));
    eventually(|| cache.integrity().passes > 0).await;
    for (seed, url) in urls.iter().enumerate() {
        assert_eq!(body(&cache.get(url).await.unwrap().unwrap()).await, noise(seed as u64, 30_000));
    }
    assert_eq!((cache.integrity().damaged, stats(&cache).await.damaged), (0, 0));
}

#[tokio::test]
async fn request_does_not_wait_for_the_integrity_check_of_its_entry() {
    let rig = CacheRig::after_a_run(&["test:a"]).await;
    let disk = Arc::<FaultyDisk>::default();
    let _end = EndFaults(disk.clone());
    let (begun, begins) = oneshot::channel();
    let mut begun = Some(begun);
    // The check reads the media first, and hangs.
    disk.fail(move |name| {
        let is_check = name == "read *.dat" && begun.take().is_some_and(|begun| begun.send(()).is_ok());
        is_check.then_some(Fault::Hang)
    });
    // Small media would be read on the thread that hangs.
    let media = noise(1, 100_000);
    rig.origin.serves_bytes("test:a", media.clone());
    let open = |builder: media_cache::Builder| builder.integrity_check_rate(bytes(u64::MAX)).max_silence(Duration::from_secs(60));
    let cache = rig.open().await;
    cache.refresh("test:a").await.unwrap();
    cache.close().await.unwrap();
    let cache = rig.open_with(|builder| open(builder).file_faults(disk.clone())).await;
    soon(begins).await.unwrap();
    assert_eq!(body(&soon(cache.get("test:a")).await.unwrap().unwrap()).await, media);
    assert_eq!(cache.integrity().intact, 0, "the check is still in progress");
    disk.work();
    eventually(|| cache.integrity().intact == 1).await;
}
