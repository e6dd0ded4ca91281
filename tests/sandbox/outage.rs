//! A cache whose component is not responding, or whose directory is gone, serves what it can, reports the cause, and recovers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use media_cache::component::RememberedComponent;
use media_cache::{
    CacheError, ComponentOrigin, ComponentSwapError, DirectoryLock, Health, MediaCache, Source, SwapError, embedded,
};
use media_cache_test_skip as skip;
use media_cache_test_support::cache_directory::{BOTH, files_exist};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, ENGINE};
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::{eventually, soon};

/// Waits until the cache is degraded, and returns the reason.
async fn degraded(cache: &MediaCache) -> String {
    let mut health = cache.watch_health();
    let health = soon(health.wait_for(|health| matches!(health, Health::Degraded(_)))).await.unwrap().clone();
    match health {
        Health::Degraded(degradation) => degradation.reason,
        _ => unreachable!(),
    }
}

/// Waits until the cache is degraded for this reason. It may be degraded for another one first.
async fn degraded_because(cache: &MediaCache, reason: &str) {
    let is_it = |health: &Health| matches!(health, Health::Degraded(degradation) if degradation.reason.contains(reason));
    soon(cache.watch_health().wait_for(is_it)).await.unwrap();
}

/// Waits until the cache stores new media.
async fn storing(cache: &MediaCache) {
    soon(cache.watch_health().wait_for(|health| matches!(health, Health::Storing))).await.unwrap();
}

/// A rig, and a cache that treats its component as unresponsive if it has not responded for a fifth of a second.
async fn impatient() -> (CacheRig, MediaCache) {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_silence(Duration::from_millis(200))).await;
    storing(&cache).await;
    (rig, cache)
}

#[tokio::test]
async fn memory_hits_and_downloads_work_while_the_component_is_unresponsive() {
    let (rig, cache) = impatient().await;
    fill(&cache, &["test:a"]).await;
    let stopped = rig.clock.stop();
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_download("test:waiting").await }
    });
    let media = soon(waiting).await.unwrap().unwrap();
    assert_eq!(
        (body(&media).await, media.source),
        (text("test:waiting"), Source::Origin),
        "the request was waiting when the thread hung"
    );
    assert!(degraded(&cache).await.contains("has not responded"));
    assert_eq!(cache.get_or_download("test:a").await.unwrap().source, Source::Memory);
    assert_eq!(rig.origin.requests("test:a"), 1);
    let latch = rig.origin.hold("test:b");
    let requests = futures::future::join_all((0..20).map(|_| cache.get_or_download("test:b")));
    let open = async {
        latch.reached().await;
        latch.open();
    };
    let (answers, ()) = soon(futures::future::join(requests, open)).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok_and(|media| media.source == Source::Origin)));
    assert_eq!(rig.origin.requests("test:b"), 1, "requests are coalesced");
    assert_eq!(cache.passed_through(), 21);
    let unavailable = |error: CacheError| assert!(matches!(error, CacheError::Unavailable(_)), "{error}");
    unavailable(cache.put("test:c", "mine", "text/plain", "c.txt").await.unwrap_err());
    unavailable(cache.remove("test:a").await.unwrap_err());
    unavailable(cache.entries(None, 10).await.unwrap_err());
    unavailable(cache.close_within(Duration::from_millis(10)).await.unwrap_err());
    let lru = ENGINE.built_in_policy("lru").unwrap();
    assert!(matches!(cache.swap_policy(lru).await, Err(SwapError::Unavailable(_))));
    assert_eq!(cache.status().await.unwrap().cache.max_memory_items, 64, "the counters are from the last response");
    assert!(matches!(cache.health().await.unwrap(), Health::Degraded(_)));
    drop(stopped);
}

#[tokio::test]
async fn component_that_becomes_responsive_has_lost_no_hit_and_stores_again() {
    let (rig, cache) = impatient().await;
    fill(&cache, &["test:a"]).await;
    let stopped = rig.clock.stop();
    cache.get_or_download("test:a").await.unwrap();
    assert!(degraded(&cache).await.contains("has not responded"));
    drop(stopped);
    storing(&cache).await;
    fill(&cache, &["test:b"]).await;
    assert_eq!(files_exist(&rig.directory(), "test:b"), BOTH);
    let status = cache.status().await.unwrap();
    assert_eq!((status.restarts, status.cache.hits), (0, 1), "neither the instance nor a hit was lost");
    assert!(cache.degraded_time() > Duration::ZERO);
    soon(cache.close()).await.unwrap();
}

#[tokio::test]
async fn component_swap_that_completes_after_its_caller_timed_out_is_remembered() {
    let (rig, cache) = impatient().await;
    let memory = RememberedComponent::new(rig.directory(), ComponentOrigin::BuiltIn);
    let upload = ENGINE.compile_cache(ComponentOrigin::Upload, embedded::CACHE).unwrap();
    let stopped = rig.clock.stop();
    cache.get_or_download("test:a").await.unwrap();
    assert!(degraded(&cache).await.contains("has not responded"));
    let bytes = bytes::Bytes::from_static(embedded::CACHE);
    let swapped = cache.swap_and_remember_component(upload, memory.clone(), Some(bytes)).await;
    assert!(matches!(swapped, Err(ComponentSwapError::Unavailable(_))), "{swapped:?}");
    assert_eq!(memory.recall(), None);
    drop(stopped);
    eventually(|| cache.component().swaps == 1 && cache.component().swap.is_none()).await;
    let Some(ComponentOrigin::File(file)) = memory.recall() else { panic!("nothing is remembered") };
    assert_eq!(fs::read(file).unwrap(), embedded::CACHE);
}

#[tokio::test]
async fn directory_that_was_removed_and_created_again_is_used_again() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    fs::remove_dir_all(rig.directory()).unwrap();
    degraded_because(&cache, "is gone").await;
    assert_eq!(body(&cache.get_or_download("test:b").await.unwrap()).await, text("test:b"));
    assert!(!rig.directory().exists());
    fs::create_dir(rig.directory()).unwrap();
    storing(&cache).await;
    fill(&cache, &["test:a", "test:c"]).await;
    assert_eq!((files_exist(&rig.directory(), "test:a"), files_exist(&rig.directory(), "test:c")), (BOTH, BOTH));
    assert!(rig.builder().open().await.is_err(), "the directory is locked");
    soon(cache.close()).await.unwrap();
    assert_eq!(rig.open().await.load_report().unwrap().entries, 2);
}

#[tokio::test]
async fn directory_locked_by_another_process_is_reported_and_reused_once_recreated() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    // A rename replaces the lock in one step, so the cache cannot create its own lock in between.
    let elsewhere = rig.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let other = DirectoryLock::acquire(&elsewhere).unwrap();
    fs::rename(elsewhere.join("media-cache.lock"), rig.directory().join("media-cache.lock")).unwrap();
    degraded_because(&cache, "in use by another").await;
    let built_in = ENGINE.built_in_cache().unwrap();
    assert!(matches!(cache.swap_component(built_in).await, Err(ComponentSwapError::Unavailable(_))));
    assert_eq!(cache.component().swaps, 0, "the new component could not start");
    fs::remove_dir_all(rig.directory()).unwrap();
    degraded_because(&cache, "is gone").await;
    assert_eq!(body(&cache.get_or_download("test:a").await.unwrap()).await, text("test:a"));
    drop(other);
    fs::create_dir(rig.directory()).unwrap();
    storing(&cache).await;
    fill(&cache, &["test:a"]).await;
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
}

/// A directory in which nothing can be created or removed until this is dropped.
struct Immutable<'a>(&'a Path);

impl<'a> Immutable<'a> {
    /// `None` if the test must be skipped.
    fn make(directory: &'a Path) -> Option<Self> {
        let changed = Command::new("chattr").arg("+i").arg(directory).output().is_ok_and(|output| output.status.success());
        (!skip::unless(changed, "permission to make a directory immutable")).then_some(Self(directory))
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(self.0).status();
    }
}

#[tokio::test]
async fn immutable_directory_is_reported_and_recovers_without_traffic() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    storing(&cache).await;
    let directory = rig.directory();
    let Some(immutable) = Immutable::make(&directory) else { return };
    let reason = degraded(&cache).await;
    assert!(reason.contains("cannot store anything") && reason.contains("not permitted"), "{reason}");
    assert_eq!(body(&cache.get_or_download("test:a").await.unwrap()).await, text("test:a"));
    drop(immutable);
    // Failed operations are retried after a second.
    rig.clock.advance(Duration::from_secs(1));
    storing(&cache).await;
    fill(&cache, &["test:a"]).await;
    assert_eq!(files_exist(&directory, "test:a"), BOTH);
}
