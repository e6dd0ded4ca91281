//! A refresh fetches media again and replaces it, while what is stored is served.

use std::fs;
use std::time::Duration;

use futures::future::{join, join3};
use media_cache::{
    CacheControl, CacheError, Cacheability, FetchError, FetchedMedia, MediaCache, RefreshOutcome, Source, StoreError, Validators,
};
use media_cache_test_support::cache_directory::{
    BOTH, SNAPSHOT, copy_files, disk_usage, files_exist, media_file, sidecar, sidecar_file,
};
use media_cache_test_support::cache_requests::{body, failure, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, bytes};
use media_cache_test_support::cache_state::{Found, entries, found, order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::{fetched, text};
use media_cache_test_support::sha256::sha256;

const URL: &str = "test:a";

/// A version of the media at the URL, with validators of its own.
fn version(number: u32, body: impl Into<Vec<u8>>) -> FetchedMedia {
    FetchedMedia {
        cache_control: CacheControl { max_age: Some(60), age: number, ..CacheControl::default() },
        validators: Validators { etag: Some(format!("\"{number}\"")), last_modified: None },
        ..fetched(body.into(), &format!("image/x-{number}"), &format!("{number}.png"))
    }
}

/// A cache in which the first version is stored.
async fn with_first_version() -> (CacheRig, MediaCache) {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves(URL, version(1, "first"));
    fill(&cache, &[URL]).await;
    rig.clock.advance(Duration::from_secs(100));
    (rig, cache)
}

async fn refresh_failure(cache: &MediaCache) -> FetchError {
    match cache.refresh(URL).await {
        Err(CacheError::Fetch(error)) => error,
        other => panic!("the refresh did not fail: {other:?}"),
    }
}

/// Asserts that a get is served with these bytes from what is stored.
async fn serves(cache: &MediaCache, bytes: &str) {
    let media = cache.get(URL).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(body(&media).await).unwrap(), bytes);
}

#[tokio::test]
async fn changed_media_replaces_both_files_and_what_is_in_memory() {
    let (rig, cache) = with_first_version().await;
    fill(&cache, &["test:b"]).await;
    let before = cache.get(URL).await.unwrap().unwrap();
    fill(&cache, &["test:b"]).await;
    let bytes = "the second version is longer".repeat(1000);
    rig.origin.serves(URL, version(2, bytes.clone()));
    let RefreshOutcome { media, modified, not_stored } = cache.refresh(URL).await.unwrap();
    assert!(modified && not_stored.is_none(), "{not_stored:?}");
    assert_eq!(rig.origin.conditions(URL).and_then(|conditions| conditions.etag).as_deref(), Some("\"1\""));
    assert_eq!(body(&before).await, b"first", "whoever has the old media keeps it");
    let from_memory = cache.get(URL).await.unwrap().unwrap();
    assert_eq!(from_memory.source, Source::Memory);
    for media in [media, from_memory] {
        assert_eq!(body(&media).await, bytes.as_bytes());
        assert_eq!((media.mimetype(), media.filename(), media.cache_control().age), ("image/x-2", "2.png", 2));
        assert_eq!(media.stored_at(), rig.clock.wall());
    }
    assert_eq!(fs::read(media_file(&rig.directory(), URL)).unwrap(), bytes.as_bytes());
    let sidecar = sidecar(&rig.directory(), URL);
    assert_eq!((&sidecar["etag"], &sidecar["sha256"]), (&"\"2\"".into(), &sha256(&bytes).into()));
    assert_eq!((&sidecar["size"], &sidecar["mimetype"]), (&bytes.len().into(), &"image/x-2".into()));
    assert_eq!(order(&cache).await, ["test:b", URL], "it was stored last");
    let stats = stats(&cache).await;
    assert_eq!((stats.refreshes_modified, stats.refreshes_unmodified, stats.refresh_failures), (1, 0, 0));
    assert_eq!((stats.entries, stats.disk_bytes, 4), (2, disk_usage(&rig.directory()).0, disk_usage(&rig.directory()).1));
    assert_eq!(stats.media_bytes, (bytes.len() + text("test:b").len()) as u64);
    assert_eq!(stats.memory_bytes, stats.media_bytes, "the old bytes are gone");
    assert_eq!((stats.hits, stats.misses), (3, 2), "a refresh is no request for media");
    cache.close().await.unwrap();
    serves(&rig.open().await, &bytes).await;
}

#[tokio::test]
async fn unchanged_media_keeps_its_bytes_and_is_as_new() {
    // The origin confirms it, or sends the same bytes again.
    for is_confirmed in [true, false] {
        let (rig, cache) = with_first_version().await;
        let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(media_file(&rig.directory(), URL)).unwrap());
        let before = inode();
        if is_confirmed {
            rig.origin.confirms(URL, CacheControl { max_age: Some(7), age: 3, ..CacheControl::default() });
        } else {
            let again = version(1, "first");
            let cache_control = CacheControl { max_age: Some(7), age: 3, ..again.cache_control };
            rig.origin.serves(URL, FetchedMedia { cache_control, ..again });
        }
        let outcome = cache.refresh(URL).await.unwrap();
        assert!(!outcome.modified && outcome.not_stored.is_none());
        assert_eq!((inode(), files_exist(&rig.directory(), URL)), (before, BOTH));
        let sidecar = sidecar(&rig.directory(), URL);
        assert_eq!((&sidecar["max_age"], &sidecar["age"], &sidecar["etag"]), (&7.into(), &3.into(), &"\"1\"".into()));
        let refreshed_at = rig.clock.wall();
        rig.clock.advance(Duration::from_secs(1000));
        let (from_disk, from_memory) = (cache.get(URL).await.unwrap().unwrap(), cache.get(URL).await.unwrap().unwrap());
        cache.close().await.unwrap();
        let cache = rig.open().await;
        let after_a_restart = cache.get(URL).await.unwrap().unwrap();
        for media in [outcome.media, from_disk, from_memory, after_a_restart] {
            assert_eq!((body(&media).await, media.mimetype()), (b"first".to_vec(), "image/x-1"));
            assert_eq!((media.cache_control().max_age, media.cache_control().age), (Some(7), 3));
            assert_eq!(media.stored_at(), refreshed_at);
        }
        assert_eq!(stats(&cache).await.damaged, 0);
    }
}

#[tokio::test]
async fn a_lifetime_that_is_not_stated_anew_stays() {
    let (rig, cache) = with_first_version().await;
    rig.origin.confirms(URL, CacheControl::default());
    let outcome = cache.refresh(URL).await.unwrap();
    assert_eq!(outcome.media.cache_control(), CacheControl { max_age: Some(60), ..CacheControl::default() });
    let stats = stats(&cache).await;
    assert_eq!((stats.refreshes_unmodified, stats.downloads, stats.stored), (1, 2, 1));
}

#[tokio::test]
async fn media_without_validators_is_fetched_unconditionally() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves(URL, fetched("first", "image/png", "a.png"));
    fill(&cache, &[URL]).await;
    rig.origin.serves(URL, version(2, "second"));
    assert!(cache.refresh(URL).await.unwrap().modified);
    assert_eq!((rig.origin.conditions(URL), rig.origin.requests(URL)), (None, 2));
    serves(&cache, "second").await;
}

#[tokio::test]
async fn a_downloader_that_knows_no_conditions_returns_the_media() {
    let rig = CacheRig::create();
    let downloader = |_url: String| async { Ok(version(1, "whatever the version")) };
    let cache = rig.open_with(|builder| builder.downloader(downloader)).await;
    fill(&cache, &[URL]).await;
    assert!(!cache.refresh(URL).await.unwrap().modified, "it is the same");
    serves(&cache, "whatever the version").await;
}

#[tokio::test]
async fn a_failure_keeps_what_is_stored_and_is_not_remembered() {
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
async fn a_remembered_failure_does_not_keep_a_refresh_from_storing() {
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
async fn requests_are_served_from_the_old_copy_while_refreshes_share_a_download() {
    let (rig, cache) = with_first_version().await;
    rig.origin.serves(URL, version(2, "second"));
    let latch = rig.origin.hold(URL);
    let meanwhile = async {
        latch.reached().await;
        for _ in 0..3 {
            serves(&cache, "first").await;
            assert_eq!(body(&cache.get_or_download(URL).await.unwrap()).await, b"first");
            stats(&cache).await;
        }
        latch.open();
    };
    let (first, second, ()) = join3(cache.refresh(URL), cache.refresh(URL), meanwhile).await;
    for outcome in [first.unwrap(), second.unwrap()] {
        assert_eq!((outcome.modified, body(&outcome.media).await), (true, b"second".to_vec()));
    }
    serves(&cache, "second").await;
    assert_eq!(rig.origin.requests(URL), 2);
    assert_eq!(stats(&cache).await.refreshes_modified, 1);
}

#[tokio::test]
async fn requests_during_many_refreshes_get_one_version_or_the_other() {
    let rig = CacheRig::create();
    // Every get reads the file, whose name stands for two versions in turn.
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    let versions = [noise(1, 100_000), noise(2, 100_000)];
    rig.origin.serves(URL, version(0, versions[0].clone()));
    fill(&cache, &[URL]).await;
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let refreshes = async {
        for round in 1..40 {
            rig.origin.serves(URL, version(round, versions[round as usize % 2].clone()));
            assert!(cache.refresh(URL).await.unwrap().modified);
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let gets = async || {
        let mut seen = [0, 0];
        while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
            let media = cache.get(URL).await.unwrap().expect("it is always stored");
            let bytes = body(&media).await;
            let which = versions.iter().position(|version| *version == bytes).expect("it is a whole version");
            assert_eq!(media.cache_control().age % 2, which as u32, "its type and bytes belong together");
            seen[which] += 1;
        }
        seen
    };
    let ((), first, second) = join3(refreshes, gets(), gets()).await;
    assert!(first.iter().chain(&second).all(|count| *count > 0), "{first:?} {second:?}");
    let stats = stats(&cache).await;
    assert_eq!((stats.damaged, stats.refreshes_modified, stats.disk_bytes), (0, 39, disk_usage(&rig.directory()).0));
}

#[tokio::test]
async fn media_that_must_not_be_stored_does_not_replace_what_is() {
    let no_store = CacheControl { cacheability: Cacheability::NoStore, ..CacheControl::default() };
    for is_confirmed in [true, false] {
        let (rig, cache) = with_first_version().await;
        if is_confirmed {
            rig.origin.confirms(URL, no_store);
        } else {
            rig.origin.serves(URL, FetchedMedia { cache_control: no_store, ..version(2, "second") });
        }
        let outcome = cache.refresh(URL).await.unwrap();
        assert!(matches!(outcome.not_stored, Some(StoreError::NoStore)), "{:?}", outcome.not_stored);
        assert_eq!(outcome.media.cache_control().cacheability, Cacheability::NoStore);
        serves(&cache, "first").await;
        assert_eq!(cache.get(URL).await.unwrap().unwrap().cache_control().cacheability, Cacheability::Public);
        assert_eq!(stats(&cache).await.refresh_failures, 1);
    }
}

#[tokio::test]
async fn an_entry_that_is_removed_during_its_refresh_is_stored_anew() {
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
async fn both_copies_count_against_the_budget() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_disk_bytes(bytes(4 * SMALL))).await;
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
async fn a_disk_that_fails_keeps_what_is_stored() {
    for name in ["dat.new.tmp", "dat.new", "json.new.tmp", "json.new"] {
        let (rig, cache) = with_first_version().await;
        let obstacle = media_file(&rig.directory(), URL).with_extension(name);
        fs::create_dir(&obstacle).unwrap();
        rig.origin.serves(URL, version(2, "second"));
        let outcome = cache.refresh(URL).await.unwrap();
        assert!(matches!(outcome.not_stored, Some(StoreError::Disk(_))), "{name}: {:?}", outcome.not_stored);
        assert_eq!(body(&outcome.media).await, b"second");
        serves(&cache, "first").await;
        let health = cache.health().await.unwrap();
        assert!(matches!(health, media_cache::Health::Degraded(_)), "{health:?}");
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(stats(&cache).await.disk_bytes, disk_usage(&rig.directory()).0, "nothing is left of the new files");
        assert!(cache.refresh(URL).await.unwrap().not_stored.is_none());
        serves(&cache, "second").await;
        assert!(matches!(cache.health().await.unwrap(), media_cache::Health::Storing));
    }
}

#[tokio::test]
async fn a_file_that_is_being_sent_stays_readable() {
    let rig = CacheRig::create();
    // What is larger than an eighth of this is an open file.
    let cache = rig.open_with(|builder| builder.max_memory_bytes(1000)).await;
    rig.origin.serves(URL, version(1, noise(1, 5000)));
    fill(&cache, &[URL]).await;
    let before = cache.get(URL).await.unwrap().unwrap();
    assert!(before.body.in_memory().is_none());
    rig.origin.serves(URL, version(2, noise(2, 5000)));
    assert!(cache.refresh(URL).await.unwrap().modified);
    let after = cache.get(URL).await.unwrap().unwrap();
    assert_eq!((body(&before).await, body(&after).await), (noise(1, 5000), noise(2, 5000)));
    rig.origin.confirms(URL, CacheControl::default());
    assert!(!cache.refresh(URL).await.unwrap().modified);
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, noise(2, 5000));
    assert_eq!(stats(&cache).await.resident_entries, 1);
}

#[tokio::test]
async fn a_snapshot_from_before_the_refresh_is_not_believed() {
    // Both versions have the same size, so that only the sidecar tells them apart.
    for is_confirmed in [true, false] {
        let (rig, cache) = with_first_version().await;
        cache.checkpoint().await.unwrap();
        if is_confirmed {
            rig.origin.confirms(URL, CacheControl { max_age: Some(7), ..CacheControl::default() });
        } else {
            rig.origin.serves(URL, version(2, "other"));
        }
        cache.refresh(URL).await.unwrap();
        let crashed = CacheRig::create();
        copy_files(&rig.directory(), &crashed.directory());
        assert!(crashed.directory().join(SNAPSHOT).exists());
        let cache = crashed.open().await;
        assert_eq!(found(&cache), Found { entries: 1, from_index: 1, ..Found::default() });
        serves(&cache, if is_confirmed { "first" } else { "other" }).await;
        let media = cache.get(URL).await.unwrap().unwrap();
        let max_age = media.cache_control().max_age;
        let expected = if is_confirmed { (Some(7), "image/x-1") } else { (Some(60), "image/x-2") };
        assert_eq!((max_age, media.mimetype()), expected);
        assert_eq!(stats(&cache).await.damaged, 0);
    }
}

#[tokio::test]
async fn every_entry_is_removed_also_while_one_is_refreshed() {
    let (rig, cache) = with_first_version().await;
    rig.origin.serves(URL, version(2, noise(1, 1 << 20)));
    let (refreshed, removed) = join(cache.refresh(URL), cache.remove_matching(media_cache::EntryFilter::All)).await;
    assert!(refreshed.is_ok() && removed.is_ok());
    let stats = stats(&cache).await;
    assert_eq!((stats.disk_bytes, 2 * stats.entries), (disk_usage(&rig.directory()).0, disk_usage(&rig.directory()).1 as u64));
}
