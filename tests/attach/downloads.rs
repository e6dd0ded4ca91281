//! Downloads by downloaders of attached processes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use media_cache::{CacheError, Downloader, FetchError, FetchedMedia};
use media_cache_attach::SharedCache;
use media_cache_test_support::soon::soon;
use tokio::sync::Notify;

use crate::shared::{LARGE, media, open, text};

/// A downloader that counts its downloads and waits before it returns.
fn slow(content: &str, downloads: &Arc<AtomicUsize>, release: &Arc<Notify>) -> impl Downloader + use<> {
    let (content, downloads, release) = (content.to_owned(), downloads.clone(), release.clone());
    move |_: String| {
        let (content, release) = (content.clone(), release.clone());
        downloads.fetch_add(1, Ordering::Relaxed);
        async move {
            release.notified().await;
            Ok(media(content))
        }
    }
}

/// Waits until this many requests have been coalesced.
async fn until_coalesced(cache: &SharedCache, requests: u64) {
    soon(async { while cache.status().await.unwrap().0.cache.coalesced < requests {} }).await;
}

#[tokio::test]
async fn calls_of_all_processes_share_one_download() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, one, other) = (open(directory.path()).await, open(directory.path()).await, open(directory.path()).await);
    let (downloads, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let content = "x".repeat(LARGE);
    let calls = (0..30).map(|number| {
        let cache = [&owner, &one, &other][number % 3];
        cache.get_or_download_with("test:a", slow(&content, &downloads, &release))
    });
    let release_it = async {
        until_coalesced(&owner, 29).await;
        release.notify_one();
    };
    let (results, ()) = tokio::join!(join_all(calls), release_it);
    for result in results {
        assert!(text(&result.unwrap()).await == content);
    }
    assert_eq!(downloads.load(Ordering::Relaxed), 1);
    assert_eq!(text(&other.get("test:a").await.unwrap().unwrap()).await, content);
}

#[tokio::test]
async fn owner_downloads_if_the_caller_has_no_downloader() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!(text(&other.get_or_download("test:a").await.unwrap()).await, "test:a");
    let refreshed = other.refresh("test:a").await.unwrap();
    assert!(!refreshed.modified && text(&refreshed.media).await == "test:a");
}

#[tokio::test]
async fn failure_of_a_downloader_keeps_its_cause_in_its_own_process() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let (release, started) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let fail = |release: Arc<Notify>, started: Arc<Notify>| {
        move |_: String| {
            let (release, started) = (release.clone(), started.clone());
            async move {
                started.notify_one();
                release.notified().await;
                Err::<FetchedMedia, _>(FetchError::custom(io::Error::new(io::ErrorKind::AddrInUse, "the bot is offline")))
            }
        }
    };
    let own = other.get_or_download_with("test:a", fail(release.clone(), started.clone()));
    let waits = async {
        started.notified().await;
        let coalesced = owner.get_or_download_with("test:a", fail(release.clone(), started.clone()));
        let release_it = async {
            until_coalesced(&owner, 1).await;
            release.notify_one();
        };
        tokio::join!(coalesced, release_it).0
    };
    let (own, coalesced) = tokio::join!(own, waits);
    let (own, coalesced) = (own.unwrap_err(), coalesced.unwrap_err());
    assert_eq!(own.to_string(), coalesced.to_string());
    assert_eq!(own.to_string(), "the custom downloader failed: the bot is offline");
    let CacheError::Fetch(FetchError::Custom(failure)) = own else { panic!("{own:?}") };
    assert_eq!(failure.cause().unwrap().downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn other_failures_of_a_downloader_keep_their_kind() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let failures = [
        FetchError::NotFound,
        FetchError::TooLarge(7),
        FetchError::Unavailable(Some(3)),
        FetchError::Denied(401),
        FetchError::TimedOut("waiting".into()),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let fails = failure.clone();
        let fails = move |_: String| std::future::ready(Err::<FetchedMedia, _>(fails.clone()));
        let error = other.get_or_download_with(&format!("test:{number}"), fails).await.unwrap_err();
        assert!(matches!(&error, CacheError::Fetch(found) if *found == failure), "{error:?}");
    }
}

#[tokio::test]
async fn download_continues_if_its_caller_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let (downloads, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let call = other.get_or_download_with("test:a", slow("downloaded", &downloads, &release));
    let started = async {
        soon(async {
            while downloads.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await
            }
        })
        .await
    };
    tokio::select! {
        _ = call => panic!("it cannot have ended"),
        () = started => {}
    }
    release.notify_one();
    let media = soon(async {
        loop {
            if let Some(media) = owner.get("test:a").await.unwrap() {
                return media;
            }
        }
    });
    assert_eq!(text(&media.await).await, "downloaded");
}
