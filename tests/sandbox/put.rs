//! Storing media that a caller supplies.

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use media_cache::{Blob, CacheError, Health, Source, StoreError};
use media_cache_test_support::cache_directory::{BOTH, INDEX_LOG, NEITHER, files_exist, media_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{entries, order, stats};
use media_cache_test_support::file_faults::FaultyDisk;
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::{fetched, text};
use media_cache_test_support::scripted_transcoder::video_of;

#[tokio::test]
async fn put_media_is_stored_and_returned_by_a_hit() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let outcome = cache.put("test:a", "uploaded", "image/png", "a.png").await.unwrap();
    assert_eq!((outcome.known, outcome.not_stored.is_none()), (false, true));
    assert_eq!(body(&outcome.media).await, b"uploaded");
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    let found = cache.get_or_download("test:a").await.unwrap();
    assert_eq!(body(&found).await, b"uploaded");
    assert_eq!((found.mimetype(), found.filename(), found.source), ("image/png", "a.png", Source::Memory));
    assert_eq!(found.stored_at(), rig.clock.wall());
    assert_eq!(rig.origin.requests("test:a"), 0);
    let stats = stats(&cache).await;
    assert_eq!(
        (stats.stored, stats.downloads, stats.hits, stats.misses),
        (1, 0, 1, 0),
        "a put does not count as a request for media"
    );
}

#[tokio::test]
async fn put_of_a_known_url_keeps_the_stored_bytes_and_counts_as_a_use() {
    for items in [0, 64] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| builder.max_memory_items(items)).await;
        fill(&cache, &["test:a", "test:b"]).await;
        rig.clock.advance(Duration::from_secs(1));
        let outcome = cache.put("test:a", "something else", "image/png", "else.png").await.unwrap();
        assert_eq!((outcome.known, outcome.not_stored.is_none()), (true, true));
        assert_eq!(body(&outcome.media).await, text("test:a"));
        assert_eq!((outcome.media.mimetype(), outcome.media.filename()), ("text/plain", "page.txt"));
        assert_eq!(order(&cache).await, ["test:b", "test:a"]);
        let entries = entries(&cache).await;
        assert_eq!(entries[1].accessed_at, entries[0].accessed_at + 1000);
        assert_eq!((stats(&cache).await.stored, stats(&cache).await.hits), (2, 0));
        assert_eq!(std::fs::read(media_file(&rig.directory(), "test:a")).unwrap(), text("test:a"));
    }
}

#[tokio::test]
async fn put_with_an_invalid_url_is_an_error() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for url in ["", "picture.png", "https:", "https://x/a b", "https://x/\u{7}"] {
        let error = cache.put(url, "bytes", "text/plain", "a.txt").await.unwrap_err();
        assert!(matches!(error, CacheError::Store(StoreError::InvalidUrl(_))), "{url:?}: {error}");
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.entries, stats.store_failures), (0, 0));
    assert_eq!(cache.status().await.unwrap().blob_handles, 0);
}

#[tokio::test]
async fn put_during_a_download_waits_for_it_and_keeps_the_downloaded_bytes() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let mut download = pin!(cache.get_or_download("test:a"));
    assert!(download.as_mut().now_or_never().is_none());
    latch.reached().await;
    let mut put = pin!(cache.put("test:a", "mine", "image/png", "a.png"));
    assert!(put.as_mut().now_or_never().is_none());
    assert_eq!(stats(&cache).await.stored, 0, "a later call is answered while the put is still waiting");
    assert!(put.as_mut().now_or_never().is_none());
    latch.open();
    download.await.unwrap();
    let outcome = put.await.unwrap();
    assert!(outcome.known);
    assert_eq!(body(&outcome.media).await, text("test:a"));
    assert_eq!(stats(&cache).await.stored, 1);
}

#[tokio::test]
async fn put_that_waited_for_a_failed_download_is_stored() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails("test:a", media_cache::FetchError::NotFound);
    let latch = rig.origin.hold("test:a");
    let mut download = pin!(cache.get_or_download("test:a"));
    assert!(download.as_mut().now_or_never().is_none());
    latch.reached().await;
    let mut put = pin!(cache.put("test:a", "mine", "image/png", "a.png"));
    assert!(put.as_mut().now_or_never().is_none());
    latch.open();
    assert!(download.await.is_err());
    assert!(!put.await.unwrap().known);
    assert_eq!(body(&cache.get_or_download("test:a").await.unwrap()).await, b"mine", "although the failure is remembered");
}

#[tokio::test]
async fn concurrent_puts_of_one_url_store_the_first_and_all_return_it() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let puts = (0..30).map(|number| cache.put("test:a", format!("version {number}"), "text/plain", "a.txt"));
    let outcomes: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.known).count(), 1);
    let stored = std::fs::read(media_file(&rig.directory(), "test:a")).unwrap();
    for outcome in &outcomes {
        assert_eq!(body(&outcome.media).await, stored);
    }
    assert_eq!(stats(&cache).await.stored, 1);
}

#[tokio::test]
async fn get_or_download_waits_for_a_put_in_progress() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    // A GIF, since the transcoder can be blocked.
    let latch = rig.transcoder.hold();
    let mut put = pin!(cache.put("test:a", "GIF89a", "image/gif", "a.gif"));
    assert!(put.as_mut().now_or_never().is_none());
    latch.reached().await;
    let mut download = pin!(cache.get_or_download("test:a"));
    assert!(download.as_mut().now_or_never().is_none());
    assert!(cache.get("test:a").await.unwrap().is_none(), "a `get` does not wait for the put");
    assert_eq!(stats(&cache).await.coalesced, 1);
    latch.open();
    assert!(!put.await.unwrap().known);
    let media = download.await.unwrap();
    assert_eq!((body(&media).await, media.source), (video_of(b"GIF89a"), Source::Origin));
    assert_eq!(rig.origin.requests("test:a"), 0);
}

#[tokio::test]
async fn put_of_an_open_file_stores_a_copy() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let path = rig.root().join("upload");
    let content = noise(1, 700_000);
    std::fs::write(&path, &content).unwrap();
    let blob = Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
    cache.put("test:a", blob, "image/png", "a.png").await.unwrap();
    std::fs::write(&path, "something else").unwrap();
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, content, "the cache has its own copy");
    assert_eq!(std::fs::read(media_file(&rig.directory(), "test:a")).unwrap(), content);
}

#[tokio::test]
async fn put_of_a_file_that_has_changed_since_its_digest_was_computed_stores_nothing() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let path = rig.root().join("upload");
    std::fs::write(&path, noise(1, 700_000)).unwrap();
    let file = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let blob = Blob::from_file(file).unwrap();
    blob.digest().await.unwrap();
    std::fs::write(&path, noise(2, 700_000)).unwrap();
    let outcome = cache.put("test:a", blob, "image/png", "a.png").await.unwrap();
    let Some(StoreError::Disk(reason)) = outcome.not_stored else { panic!("it was stored with a digest that is not its own") };
    assert!(reason.contains("changed"), "{reason}");
    assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
}

#[tokio::test]
async fn file_that_is_changed_while_it_is_copied_does_not_degrade_health() {
    let changes: [fn(&Path); 2] =
        [|path| std::fs::write(path, noise(2, 700_000)).unwrap(), |path| std::fs::write(path, "short").unwrap()];
    for change in changes {
        let (rig, disk) = (CacheRig::create(), Arc::<FaultyDisk>::default());
        let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
        fill(&cache, &["test:b"]).await;
        let path = rig.root().join("upload");
        let changing = |operation: &'static str| {
            std::fs::write(&path, noise(1, 700_000)).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            let path = path.clone();
            disk.fail(move |name| {
                if name == operation {
                    change(&path);
                }
                None
            });
            Blob::from_file(Arc::new(file)).unwrap()
        };
        let put = cache.put("test:a", changing("write *.dat"), "image/png", "a.png").await.unwrap();
        rig.origin.serves("test:b", fetched(changing("write *.dat.new"), "image/png", "b.png"));
        let refreshed = cache.refresh("test:b").await.unwrap();
        for not_stored in [put.not_stored, refreshed.not_stored] {
            let Some(StoreError::Disk(reason)) = not_stored else { panic!("it was stored: {not_stored:?}") };
            assert!(reason.ends_with("the file was changed meanwhile, or cannot be read"), "{reason}");
        }
        assert!(matches!(cache.health().await.unwrap(), Health::Storing));
        assert_eq!((files_exist(&rig.directory(), "test:a"), stats(&cache).await.store_failures), (NEITHER, 2));
        assert_eq!(body(&cache.get("test:b").await.unwrap().unwrap()).await, text("test:b"));
    }
}

#[tokio::test]
async fn put_of_an_empty_body_is_stored() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    cache.put("test:a", Vec::new(), "text/plain", "empty.txt").await.unwrap();
    assert!(cache.get("test:a").await.unwrap().unwrap().body.is_empty());
    assert_eq!(stats(&cache).await.disk_bytes, 4096, "the sidecar takes a block");
}

#[tokio::test]
async fn put_after_a_removal_stores_the_new_bytes() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for round in ["first", "second", "third"] {
        assert!(!cache.put("test:a", round, "text/plain", "a.txt").await.unwrap().known);
        assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, round.as_bytes());
        assert!(cache.remove("test:a").await.unwrap());
        assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
    }
}

#[tokio::test]
async fn put_with_a_very_long_file_name_survives_a_restart_or_is_refused() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let filename = "n".repeat(140_000);
    let outcome = cache.put("test:a", "bytes", "text/plain", &filename).await.unwrap();
    cache.close().await.unwrap();
    std::fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open().await;
    assert_eq!(
        cache.get("test:a").await.unwrap().is_some(),
        outcome.not_stored.is_none(),
        "the entry survives exactly if the put reported it as stored"
    );
}
