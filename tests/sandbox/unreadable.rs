//! Entries that exist but cannot be read from disk.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media_cache::{Builder, FileFaults, FileOperation, Health, MediaCache, Source};
use media_cache_test_support::cache_directory::{INDEX_LOG, disk_usage, file_stem, sidecar_file};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, SMALL};
use media_cache_test_support::cache_state::{entries, order, recovered, stats};
use media_cache_test_support::file_faults::{Fault, FaultyDisk};
use media_cache_test_support::scripted_origin::text;
use rustix::io::Errno;

/// A rig with these entries on disk, and a disk that can be made to fail.
async fn rig_with(urls: &[&str]) -> (CacheRig, Arc<FaultyDisk>) {
    (CacheRig::after_a_run(urls).await, Arc::default())
}

/// Makes every operation with this name fail.
fn fail(disk: &FaultyDisk, operation: &'static str) {
    disk.fail(move |name| (name == operation).then_some(Fault::Error(Errno::IO)));
}

async fn open(rig: &CacheRig, disk: &Arc<FaultyDisk>, set: impl FnOnce(Builder) -> Builder) -> MediaCache {
    rig.open_with(|builder| set(builder.file_faults(disk.clone()))).await
}

async fn is_degraded(cache: &MediaCache) -> bool {
    matches!(cache.health().await.unwrap(), Health::Degraded(_))
}

#[tokio::test]
async fn unreadable_entry_is_replaced_by_the_fetched_media() {
    for operation in ["read *.dat", "read *.json", "open *.dat", "inspect *.dat"] {
        let (rig, disk) = rig_with(&["test:a", "test:b"]).await;
        let cache = open(&rig, &disk, |builder| builder.max_memory_items(0)).await;
        rig.origin.serves_bytes("test:a", b"new".to_vec());
        fail(&disk, operation);
        assert!(cache.get("test:a").await.unwrap().is_none(), "{operation}");
        assert!(is_degraded(&cache).await, "{operation}");
        let media = cache.get_or_download("test:a").await.unwrap();
        assert_eq!((body(&media).await, media.source), (b"new".to_vec(), Source::Origin), "{operation}");
        disk.work();
        assert!(!is_degraded(&cache).await, "{operation}: no unreadable entry remains");
        let media = cache.get("test:a").await.unwrap().unwrap();
        assert_eq!((body(&media).await, media.source), (b"new".to_vec(), Source::Disk), "{operation}");
        let counted = stats(&cache).await;
        assert_eq!((counted.entries, counted.store_failures, counted.damaged), (2, 0, 0), "{operation}");
        assert_eq!(disk_usage(&rig.directory()), (2 * SMALL, 4), "{operation}");
        cache.close().await.unwrap();
        let cache = rig.open().await;
        assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, b"new", "{operation}");
    }
}

#[tokio::test]
async fn unreadable_entry_that_cannot_be_replaced_is_kept() {
    for operation in ["create *.dat.new", "create *.json.new.tmp", "rename *.dat.new"] {
        let (rig, disk) = rig_with(&["test:a"]).await;
        let cache = open(&rig, &disk, |builder| builder.max_memory_items(0)).await;
        rig.origin.serves_bytes("test:a", b"new".to_vec());
        disk.fail(move |name| (name == operation || name == "read *.dat").then_some(Fault::Error(Errno::IO)));
        for requests in 1..3 {
            assert_eq!(body(&cache.get_or_download("test:a").await.unwrap()).await, b"new", "{operation}");
            assert_eq!((rig.origin.requests("test:a"), stats(&cache).await.store_failures), (1 + requests, requests as u64));
        }
        assert!(is_degraded(&cache).await, "{operation}");
        disk.work();
        recovered(&cache, &rig.clock).await;
        assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"), "{operation}");
        assert_eq!((entries(&cache).await.len(), disk_usage(&rig.directory())), (1, (SMALL, 2)), "{operation}");
    }
}

/// Requests an unreadable entry, lets the cache retry it, and closes the cache. Returns the file operations performed while
/// closing.
async fn retry_and_close() -> Vec<String> {
    let (rig, disk) = rig_with(&["test:a"]).await;
    let cache = open(&rig, &disk, |builder| builder.max_memory_items(0)).await;
    fail(&disk, "read *.dat");
    assert!(cache.get("test:a").await.unwrap().is_none());
    let looks = Arc::<Mutex<Vec<String>>>::default();
    let seen = looks.clone();
    disk.fail(move |name| {
        seen.lock().unwrap().push(name.into());
        (name == "read *.dat").then_some(Fault::Error(Errno::IO))
    });
    rig.clock.advance(Duration::from_secs(1));
    cache.checkpoint().await.unwrap();
    assert!(is_degraded(&cache).await);
    let done = std::mem::take(&mut *looks.lock().unwrap());
    // To read the whole file, the cache would first inspect it for its size.
    assert!(done.iter().any(|name| name == "read *.dat") && !done.iter().any(|name| name == "inspect *.dat"), "{done:?}");
    rig.clock.advance(Duration::from_secs(1));
    cache.close().await.unwrap();
    let done = looks.lock().unwrap();
    done.clone()
}

#[tokio::test]
async fn retry_of_an_unreadable_entry_reads_only_its_start_and_close_does_not_retry() {
    // The cache retries the entry once a second anyway, which may happen while it closes.
    for _ in 0..5 {
        if !retry_and_close().await.iter().any(|name| name.ends_with(".dat")) {
            return;
        }
    }
    panic!("every close read the media");
}

/// Makes all sidecars unreadable except those with these file names.
struct ReadableSidecars(Mutex<Vec<String>>);

impl FileFaults for ReadableSidecars {
    fn before(&self, FileOperation { action, file }: &FileOperation) -> io::Result<()> {
        let is_sidecar = *action == "read" && file.ends_with(".json");
        if is_sidecar && !self.0.lock().unwrap().contains(file) { Err(Errno::IO.into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn every_unreadable_entry_is_retried_in_turn() {
    const ENTRIES: usize = 150;
    let urls: Vec<String> = (0..ENTRIES).map(|number| format!("test:{number}")).collect();
    let rig = CacheRig::after_a_run(&urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Forces the sidecars to be read.
    std::fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let disk = Arc::new(ReadableSidecars(Mutex::default()));
    let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
    assert_eq!(stats(&cache).await.entries, 0);
    let readable: Vec<_> = urls.iter().step_by(5).map(|url| sidecar_file(&rig.directory(), url)).collect();
    let names = readable.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
    *disk.0.lock().unwrap() = names.collect();
    // A few entries at a time.
    for _ in 0..3 {
        rig.clock.advance(Duration::from_secs(1));
        cache.checkpoint().await.unwrap();
    }
    assert_eq!(stats(&cache).await.entries, readable.len() as u64);
    assert!(is_degraded(&cache).await, "the other sidecars cannot be read");
}

/// Prevents the files with this stem from being inspected, until it is set to `None`.
struct Uninspectable(Mutex<Option<String>>);

impl FileFaults for Uninspectable {
    fn before(&self, FileOperation { action, file }: &FileOperation) -> io::Result<()> {
        let stem = self.0.lock().unwrap();
        let is_of_it = stem.as_ref().is_some_and(|stem| file.starts_with(stem.as_str()));
        if is_of_it && ["list", "inspect"].contains(action) { Err(Errno::IO.into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn entry_whose_files_cannot_be_inspected_is_reported_and_found_again() {
    for has_log in [true, false] {
        let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
        if !has_log {
            std::fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
        }
        // Forces the directory to be listed.
        std::fs::write(rig.directory().join("changed"), "").unwrap();
        let disk = Arc::new(Uninspectable(Mutex::new(Some(file_stem("test:a")))));
        let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
        assert_eq!(order(&cache).await, ["test:b"], "{has_log}");
        let Health::Degraded(degradation) = cache.health().await.unwrap() else { panic!("the failure is not reported: {has_log}") };
        let reason = degradation.reason;
        assert!(reason.starts_with(&format!("cannot read the files of {}", file_stem("test:a"))), "{reason}");
        *disk.0.lock().unwrap() = None;
        recovered(&cache, &rig.clock).await;
        assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"), "{has_log}");
        assert_eq!(stats(&cache).await.entries, 2, "{has_log}");
    }
}
