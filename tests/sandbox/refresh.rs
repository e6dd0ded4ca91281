//! A refresh fetches media again and replaces the stored media, which is served in the meantime.

use std::fs;
use std::time::Duration;

use futures::future::join3;
use media_cache::{CacheControl, FetchedMedia, MediaCache, RefreshOutcome, Source, Validators};
use media_cache_test_support::cache_directory::{BOTH, INDEX_LOG, copy_files, disk_usage, files_exist, media_file, sidecar};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{Found, found, order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::{fetched, text};
use media_cache_test_support::sha256::sha256;

pub(crate) const URL: &str = "test:a";

/// A version of the media at the URL, with its own validators.
pub(crate) fn version(number: u32, body: impl Into<Vec<u8>>) -> FetchedMedia {
    FetchedMedia {
        cache_control: CacheControl { max_age: Some(60), age: number, ..CacheControl::default() },
        validators: Validators { etag: Some(format!("\"{number}\"")), last_modified: None },
        ..fetched(body.into(), &format!("image/x-{number}"), &format!("{number}.png"))
    }
}

/// A cache that stores the first version.
pub(crate) async fn with_first_version() -> (CacheRig, MediaCache) {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves(URL, version(1, "first"));
    fill(&cache, &[URL]).await;
    rig.clock.advance(Duration::from_secs(100));
    (rig, cache)
}

/// Asserts that a get returns these bytes from the stored entry.
pub(crate) async fn serves(cache: &MediaCache, bytes: &str) {
    let media = cache.get(URL).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(body(&media).await).unwrap(), bytes);
}

#[tokio::test]
async fn refresh_of_changed_media_replaces_both_files_and_the_resident() {
    let (rig, cache) = with_first_version().await;
    fill(&cache, &["test:b"]).await;
    let before = cache.get(URL).await.unwrap().unwrap();
    fill(&cache, &["test:b"]).await;
    let bytes = "the second version is longer".repeat(1000);
    rig.origin.serves(URL, version(2, bytes.clone()));
    let RefreshOutcome { media, modified, not_stored } = cache.refresh(URL).await.unwrap();
    assert!(modified && not_stored.is_none(), "{not_stored:?}");
    assert_eq!(rig.origin.conditions(URL).and_then(|conditions| conditions.etag).as_deref(), Some("\"1\""));
    assert_eq!(body(&before).await, b"first", "a caller that already has the old media can still read it");
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
    assert_eq!((stats.hits, stats.misses), (3, 2), "a refresh does not count as a request for media");
    cache.close().await.unwrap();
    serves(&rig.open().await, &bytes).await;
}

#[tokio::test]
async fn refresh_of_unchanged_media_keeps_the_media_file_and_renews_the_age() {
    // The origin confirms the media, or sends the same bytes again.
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
async fn confirmation_without_a_lifetime_keeps_the_stored_lifetime() {
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
    assert_eq!((rig.origin.conditions(URL), rig.origin.requests(URL)), (Some(Validators::default()), 2));
    serves(&cache, "second").await;
}

#[tokio::test]
async fn refresh_works_with_a_downloader_that_lacks_conditional_requests() {
    let rig = CacheRig::create();
    let downloader = |_url: String| async { Ok(version(1, "whatever the version")) };
    let cache = rig.open_with(|builder| builder.downloader(downloader)).await;
    fill(&cache, &[URL]).await;
    assert!(!cache.refresh(URL).await.unwrap().modified, "the media is unchanged");
    serves(&cache, "whatever the version").await;
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
async fn removed_entry_is_not_served_while_its_refresh_is_in_progress() {
    let (rig, cache) = with_first_version().await;
    serves(&cache, "first").await;
    let latch = rig.origin.hold(URL);
    let meanwhile = async {
        latch.reached().await;
        assert!(cache.remove(URL).await.unwrap());
        assert!(cache.get(URL).await.unwrap().is_none());
        latch.open();
    };
    let (outcome, ()) = futures::future::join(cache.refresh(URL), meanwhile).await;
    assert_eq!(body(&outcome.unwrap().media).await, b"first");
}

#[tokio::test]
async fn requests_during_refreshes_return_one_whole_version() {
    let rig = CacheRig::create();
    // Every get reads the file, which alternates between two versions.
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
            let media = cache.get(URL).await.unwrap().expect("the entry is always stored");
            let bytes = body(&media).await;
            let which = versions.iter().position(|version| *version == bytes).expect("the body is one whole version");
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
async fn open_file_stays_readable_when_a_refresh_replaces_it() {
    let rig = CacheRig::create();
    // Media larger than an eighth of this is kept as an open file.
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
    let stats = stats(&cache).await;
    assert_eq!((stats.resident_entries, stats.open_files), (0, 1));
}

#[tokio::test]
async fn index_log_from_before_a_refresh_is_ignored_for_the_refreshed_entry() {
    // Both versions have the same size, so only the sidecar distinguishes them.
    for is_confirmed in [true, false] {
        let (rig, cache) = with_first_version().await;
        cache.checkpoint().await.unwrap();
        let log = fs::read(rig.directory().join(INDEX_LOG)).unwrap();
        if is_confirmed {
            rig.origin.confirms(URL, CacheControl { max_age: Some(7), ..CacheControl::default() });
        } else {
            rig.origin.serves(URL, version(2, "other"));
        }
        cache.refresh(URL).await.unwrap();
        let crashed = CacheRig::create();
        copy_files(&rig.directory(), &crashed.directory());
        fs::write(crashed.directory().join(INDEX_LOG), log).unwrap();
        let cache = crashed.open().await;
        assert_eq!(found(&cache), Found { entries: 1, ..Found::default() });
        serves(&cache, if is_confirmed { "first" } else { "other" }).await;
        let media = cache.get(URL).await.unwrap().unwrap();
        let max_age = media.cache_control().max_age;
        let expected = if is_confirmed { (Some(7), "image/x-1") } else { (Some(60), "image/x-2") };
        assert_eq!((max_age, media.mimetype()), expected);
        assert_eq!(stats(&cache).await.damaged, 0);
    }
}
