//! Downloaders that callers supply for single calls.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join, join_all};
use media_cache::{CacheError, Downloader, FetchError, FetchedMedia, Source};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::until;
use media_cache_test_support::scripted_origin::text;
use tokio::sync::Notify;

/// A downloader of this text, and the number of its downloads.
fn downloader_of(text: &'static str) -> (impl Downloader, Arc<AtomicUsize>) {
    let downloads = Arc::new(AtomicUsize::new(0));
    let counted = downloads.clone();
    let downloader = move |_: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(FetchedMedia::new(text, "text/plain", "a.txt")) }
    };
    (downloader, downloads)
}

#[tokio::test]
async fn media_from_the_downloader_of_a_call_is_stored_for_all_calls() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let (downloader, downloads) = downloader_of("from the caller");
    let media = cache.get_or_download_with("test:a", downloader).await.unwrap();
    assert_eq!((body(&media).await, media.source), (b"from the caller".to_vec(), Source::Origin));
    assert_eq!(body(&cache.get_or_download("test:a").await.unwrap()).await, b"from the caller");
    let (other, unused) = downloader_of("from another caller");
    assert_eq!(body(&cache.get_or_download_with("test:a", other).await.unwrap()).await, b"from the caller");
    assert_eq!((downloads.load(Ordering::Relaxed), unused.load(Ordering::Relaxed), rig.origin.requests("test:a")), (1, 0, 0));
    // Other calls still use the downloader of the cache.
    assert_eq!(body(&cache.get_or_download("test:b").await.unwrap()).await, text("test:b"));
}

#[tokio::test]
async fn coalesced_calls_get_the_error_of_the_downloader_that_failed() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let (downloads, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let calls = (0..20).map(|_| {
        let (counted, released) = (downloads.clone(), release.clone());
        cache.get_or_download_with("test:a", move |_: String| {
            let (counted, released) = (counted.clone(), released.clone());
            async move {
                counted.fetch_add(1, Ordering::Relaxed);
                released.notified().await;
                Err(FetchError::custom(io::Error::new(io::ErrorKind::ConnectionRefused, "the bot is offline")))
            }
        })
    });
    let coalesced = async {
        until(&cache, |stats| stats.coalesced == 19).await;
        release.notify_one();
    };
    let (answers, ()) = join(join_all(calls), coalesced).await;
    let failures: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Err(CacheError::Fetch(FetchError::Custom(failure))) => failure,
            other => panic!("the download did not fail as expected: {other:?}"),
        })
        .collect();
    let cause = failures[0].cause().unwrap().clone();
    assert!(failures.iter().all(|failure| Arc::ptr_eq(failure.cause().unwrap(), &cause)));
    let kind = cause.downcast_ref::<io::Error>().unwrap().kind();
    assert_eq!((kind, downloads.load(Ordering::Relaxed)), (io::ErrorKind::ConnectionRefused, 1));
    let error = FetchError::Custom(failures[0].clone());
    assert_eq!(error.to_string(), "the custom downloader failed: the bot is offline");
    assert_eq!(error.source().unwrap().to_string(), "the bot is offline");

    // The failure is not remembered.
    let (downloader, _) = downloader_of("online again");
    assert_eq!(body(&cache.get_or_download_with("test:a", downloader).await.unwrap()).await, b"online again");
}

#[tokio::test]
async fn call_that_is_coalesced_does_not_use_its_own_downloader() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("test:a");
    let (downloader, downloads) = downloader_of("from the caller");
    let first = cache.get_or_download("test:a");
    let second = async {
        until(&cache, |stats| stats.misses == 1).await;
        cache.get_or_download_with("test:a", downloader).await
    };
    let release = async {
        until(&cache, |stats| stats.coalesced == 1).await;
        latch.open();
    };
    let ((first, second), ()) = join(join(first, second), release).await;
    assert_eq!(body(&first.unwrap()).await, text("test:a"));
    assert_eq!(body(&second.unwrap()).await, text("test:a"));
    assert_eq!((downloads.load(Ordering::Relaxed), rig.origin.requests("test:a")), (0, 1));
}
