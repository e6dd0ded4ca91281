//! Removal of all entries of a host, all entries with a prefix, or all entries.

use std::fs;
use std::sync::Arc;

use media_cache::{CacheError, EntryFilter, FetchError, MediaCache, StoreError};
use media_cache_test_support::cache_directory::{BOTH, INDEX_LOG, NEITHER, disk_usage, files_exist, make_undeletable, media_file};
use media_cache_test_support::cache_requests::{failure, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::file_faults::{Fault, FaultyDisk};
use rustix::io::Errno;

const URLS: [&str; 4] = ["https://a.example/1", "https://a.example/2", "https://cdn.a.example/1", "https://b.example/1"];

async fn remove(cache: &MediaCache, filter: EntryFilter) -> u64 {
    cache.remove_matching(filter).await.unwrap()
}

#[tokio::test]
async fn entries_of_a_host_are_removed_from_both_tiers() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &URLS).await;
    assert_eq!(remove(&cache, EntryFilter::Host("A.example".into())).await, 2);
    assert_eq!(order(&cache).await, &URLS[2..]);
    for (url, files) in URLS.into_iter().zip([NEITHER, NEITHER, BOTH, BOTH]) {
        assert_eq!(files_exist(&rig.directory(), url), files, "{url}");
        assert_eq!(cache.get(url).await.unwrap().is_some(), files == BOTH, "{url}");
    }
    assert_eq!(remove(&cache, EntryFilter::Host("*.a.example".into())).await, 1);
    assert_eq!(remove(&cache, EntryFilter::Host("a.example".into())).await, 0);
    assert_eq!(stats(&cache).await.resident_entries, 1);
}

#[tokio::test]
async fn entries_with_a_prefix_are_removed() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &URLS).await;
    assert_eq!(remove(&cache, EntryFilter::Prefix("https://a.example/2".into())).await, 1);
    assert_eq!(order(&cache).await, [URLS[0], URLS[2], URLS[3]]);
}

#[tokio::test]
async fn removing_everything_leaves_no_file_and_forgets_failures() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    // More entries than one batch removes.
    let urls: Vec<String> = (0..600).map(|number| format!("https://a.example/{number}")).collect();
    fill(&cache, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    rig.origin.fails("test:gone", FetchError::Gone);
    for _ in 0..2 {
        failure(&cache, "test:gone").await;
    }
    assert_eq!(rig.origin.requests("test:gone"), 1);
    assert_eq!(remove(&cache, EntryFilter::All).await, 600);
    assert_eq!(disk_usage(&rig.directory()), (0, 0));
    let stats = stats(&cache).await;
    assert_eq!((stats.entries, stats.disk_bytes, stats.memory_bytes), (0, 0, 0));
    failure(&cache, "test:gone").await;
    assert_eq!(rig.origin.requests("test:gone"), 2);
}

#[tokio::test]
async fn a_host_that_cannot_match_is_an_error() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &URLS).await;
    for host in ["https://a.example", "a.example:443", "*", ""] {
        let error = cache.remove_matching(EntryFilter::Host(host.into())).await.unwrap_err();
        assert!(matches!(error, CacheError::Store(StoreError::InvalidUrl(_))), "{host}: {error}");
    }
    assert_eq!(stats(&cache).await.entries, 4);
}

#[tokio::test]
async fn removal_by_host_reports_undeletable_files_and_removes_the_other_entries() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &URLS).await;
    // A directory in place of the media cannot be deleted. The sidecar still shows that the entry matches.
    let media = media_file(&rig.directory(), URLS[0]);
    fs::remove_file(&media).unwrap();
    fs::create_dir(&media).unwrap();
    let error = cache.remove_matching(EntryFilter::Host("a.example".into())).await.unwrap_err();
    let CacheError::Store(StoreError::Disk(reason)) = error else { panic!("{error}") };
    assert!(reason.starts_with("1 of 2 entries were not removed: cannot delete "), "{reason}");
    assert_eq!(files_exist(&rig.directory(), URLS[1]), NEITHER);
    assert_eq!(order(&cache).await, &URLS[2..]);
}

#[tokio::test]
async fn files_that_could_not_be_deleted_are_tried_again_by_the_next_removal_that_matches() {
    let [by_host, by_prefix] = [EntryFilter::Host("a.example".into()), EntryFilter::Prefix("https://a.example/1".into())];
    // The other file of the entry is deleted.
    for is_media in [true, false] {
        for first in [None, Some(&by_host), Some(&by_prefix)] {
            let (rig, disk) = (CacheRig::create(), Arc::<FaultyDisk>::default());
            let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
            fill(&cache, &URLS).await;
            let busy = if is_media { "delete *.dat" } else { "delete *.json" };
            let fail = || disk.fail(move |name| (name == busy).then_some(Fault::Error(Errno::BUSY)));
            fail();
            let failed = match first {
                None => cache.remove(URLS[0]).await.map(drop),
                Some(filter) => cache.remove_matching(filter.clone()).await.map(drop),
            };
            assert!(matches!(failed, Err(CacheError::Store(StoreError::Disk(_)))), "{failed:?}");
            disk.work();
            assert_eq!(remove(&cache, EntryFilter::Host("b.example".into())).await, 1, "it does not match");
            assert_eq!(files_exist(&rig.directory(), URLS[0]), (is_media, !is_media));
            fail();
            for filter in [&by_prefix, &by_host] {
                let error = cache.remove_matching(filter.clone()).await.unwrap_err();
                assert!(error.to_string().contains(" entries were not removed: cannot delete "), "{error}");
            }
            disk.work();
            assert_eq!(remove(&cache, by_prefix.clone()).await, 1, "{first:?}");
            assert_eq!(files_exist(&rig.directory(), URLS[0]), NEITHER);
            assert_eq!(remove(&cache, by_prefix.clone()).await, 0);
        }
    }
}

#[tokio::test]
async fn unreadable_entry_is_not_ignored_by_a_removal_by_host() {
    let rig = CacheRig::after_a_run(&URLS).await;
    // Forces the sidecars to be read.
    fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let disk = Arc::<FaultyDisk>::default();
    let mut reads = 0;
    disk.fail(move |name| {
        reads += usize::from(name == "read *.json");
        (name == "read *.json" && reads <= URLS.len()).then_some(Fault::Error(Errno::IO))
    });
    let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
    assert_eq!(stats(&cache).await.entries, 0);
    assert_eq!(remove(&cache, EntryFilter::Host("a.example".into())).await, 2);
    disk.fail(|name| (name == "read *.json").then_some(Fault::Error(Errno::IO)));
    let error = cache.remove_matching(EntryFilter::Host("b.example".into())).await.unwrap_err();
    assert!(error.to_string().contains("2 of 2 entries were not removed: cannot read "), "{error}");
}

#[tokio::test]
async fn removing_an_entry_whose_files_cannot_be_deleted_is_an_error() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    make_undeletable(&rig.directory(), "test:a");
    let error = cache.remove("test:a").await.unwrap_err();
    let CacheError::Store(StoreError::Disk(reason)) = error else { panic!("{error}") };
    assert!(reason.starts_with("cannot delete ") && reason.contains(".json"), "{reason}");
    assert!(cache.get("test:a").await.unwrap().is_none(), "it is no longer served");
}
