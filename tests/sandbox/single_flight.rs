//! Each URL has at most one download at a time, no matter how many callers request it or cancel their requests.

use futures::future::{join, join_all};
use media_cache::FetchError;
use media_cache::Source;
use media_cache_test_support::cache_directory::{BOTH, files_exist};
use media_cache_test_support::cache_requests::{body, failure, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{stats, until};
use media_cache_test_support::scripted_origin::text;

#[tokio::test]
async fn two_hundred_concurrent_requests_share_one_download() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let askers = join_all((0..200).map(|_| cache.get_or_download("test:a")));
    let release = async {
        until(&cache, |stats| stats.coalesced == 199).await;
        latch.open();
    };
    let (answers, ()) = join(askers, release).await;
    for answer in answers {
        let media = answer.unwrap();
        assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Origin));
    }
    assert_eq!(rig.origin.requests("test:a"), 1);
    let stats = stats(&cache).await;
    assert_eq!((stats.misses, stats.coalesced, stats.hits), (200, 199, 0));
    assert_eq!((stats.downloads, stats.stored), (1, 1));
}

#[tokio::test]
async fn failed_download_fails_every_coalesced_request() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails("test:a", FetchError::OriginStatus(500));
    let latch = rig.origin.hold("test:a");
    let askers = join_all((0..20).map(|_| failure(&cache, "test:a")));
    let release = async {
        until(&cache, |stats| stats.coalesced == 19).await;
        latch.open();
    };
    let (failures, ()) = join(askers, release).await;
    assert_eq!(failures, vec![FetchError::OriginStatus(500); 20]);
    let stats = stats(&cache).await;
    assert_eq!((stats.misses, stats.coalesced, stats.downloads, stats.download_failures), (20, 19, 0, 1));
    assert_eq!((rig.origin.requests("test:a"), stats.entries), (1, 0));
}

#[tokio::test]
async fn invalid_url_is_not_requested_from_the_origin() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for url in ["", "a.png", "https:", "https://x/a b", &format!("test:{}", "a".repeat(9000))] {
        assert!(matches!(failure(&cache, url).await, FetchError::InvalidUrl(_)), "{url}");
        assert_eq!(rig.origin.requests(url), 0);
    }
}

#[tokio::test]
async fn download_continues_when_the_first_of_its_requests_is_cancelled() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let first = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_download("test:a").await }
    });
    latch.reached().await;
    let leave = async {
        until(&cache, |stats| stats.coalesced == 1).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        latch.open();
    };
    let (second, ()) = join(cache.get_or_download("test:a"), leave).await;
    assert_eq!(body(&second.unwrap()).await, text("test:a"));
    assert_eq!(rig.origin.requests("test:a"), 1);
}

#[tokio::test]
async fn download_is_stored_after_its_only_request_is_cancelled() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let asker = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_download("test:a").await }
    });
    latch.reached().await;
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    latch.open();
    until(&cache, |stats| stats.stored == 1).await;
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"));
    assert_eq!(rig.origin.requests("test:a"), 1);
}

#[tokio::test]
async fn get_does_not_wait_for_a_download() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let look = async {
        latch.reached().await;
        assert!(cache.get("test:a").await.unwrap().is_none(), "an immediate miss");
        latch.open();
    };
    let (answer, ()) = join(cache.get_or_download("test:a"), look).await;
    answer.unwrap();
    assert!(cache.get("test:a").await.unwrap().is_some());
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.misses, stats.coalesced), (1, 2, 0));
}

#[tokio::test]
async fn downloads_of_different_urls_run_concurrently() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let (a, b) = (rig.origin.hold("test:a"), rig.origin.hold("test:b"));
    let release = async {
        a.reached().await;
        b.reached().await;
        fill(&cache, &["test:c"]).await;
        b.open();
        a.open();
    };
    let (one, other, ()) = tokio::join!(cache.get_or_download("test:a"), cache.get_or_download("test:b"), release);
    assert_eq!(body(&one.unwrap()).await, text("test:a"));
    assert_eq!(body(&other.unwrap()).await, text("test:b"));
}

#[tokio::test]
async fn panic_of_the_downloader_fails_only_its_download() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.answers("test:a", || panic!("this panic is part of the test"));
    assert!(matches!(failure(&cache, "test:a").await, FetchError::Other(why) if why.contains("stopped unexpectedly")));
    fill(&cache, &["test:b"]).await;
    assert_eq!(stats(&cache).await.download_failures, 1);
}
