//! What attached processes do when the owner closes the cache.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use futures::future::join_all;
use media_cache::{CacheError, DirectoryLock};
use media_cache_attach::{DirectoryOptions, Listener, Role, SharedCache};
use media_cache_test_support::soon::{eventually, soon};
use tokio::time::timeout;

use crate::shared::{configure, held, media, open, text};

/// A time in which anything that does not wait for another process ends.
const PROMPTLY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn one_attached_process_takes_over_without_a_call() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let others = join_all((0..3).map(|_| open(directory.path()))).await;
    owner.put("test:a", media("a")).await.unwrap();
    owner.close().await.unwrap();
    let owners = || others.iter().filter(|cache| cache.role() == Role::Owner).count();
    eventually(|| owners() == 1).await;
    for cache in &others {
        assert_eq!(text(&soon(cache.get("test:a")).await.unwrap().unwrap()).await, "a");
    }
    assert_eq!(owners(), 1);
}

#[tokio::test]
async fn call_is_repeated_with_the_next_owner_and_its_download_continues() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let (downloader, started, release) = held("downloaded once");
    let call = other.get_or_download_with("test:a", downloader);
    let replace = async {
        started.notified().await;
        // As if the owner was killed: nothing is finished.
        drop(owner);
        eventually(|| other.role() == Role::Owner).await;
        release.notify_one();
    };
    let (got, ()) = tokio::join!(soon(call), replace);
    assert_eq!(text(&got.unwrap()).await, "downloaded once");
    assert_eq!(text(&other.get("test:a").await.unwrap().unwrap()).await, "downloaded once");
}

#[tokio::test]
async fn calls_during_a_handover_wait_for_the_next_owner() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let puts = join_all((0..50).map(|number| {
        let other = other.clone();
        async move { other.put(&format!("test:{number}"), media(number.to_string())).await.unwrap().not_stored }
    }));
    let (stored, closed) = tokio::join!(soon(puts), owner.close());
    closed.unwrap();
    assert!(stored.iter().all(Option::is_none), "{stored:?}");
    for number in 0..50 {
        assert_eq!(text(&other.get(&format!("test:{number}")).await.unwrap().unwrap()).await, number.to_string());
    }
    assert_eq!(other.role(), Role::Owner);
}

#[tokio::test]
async fn closing_does_not_wait_for_an_owner_that_no_longer_shares_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let cache = configure(&DirectoryOptions::default()).unwrap().directory(directory.path()).open().await.unwrap();
    let listener = Listener::start(cache.clone(), DirectoryOptions::default(), None).unwrap();
    let other = open(directory.path()).await;
    listener.stop().await;
    let (waiting, closed) = tokio::join!(other.get("test:a"), timeout(PROMPTLY, other.close()));
    closed.unwrap().unwrap();
    assert!(matches!(waiting, Err(CacheError::Closed)), "{waiting:?}");
    cache.close().await.unwrap();
    assert_eq!(other.role(), Role::Closed);
    DirectoryLock::acquire(directory.path()).unwrap();
}

#[tokio::test]
async fn closing_ends_a_takeover_in_progress() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let (release, released) = mpsc::channel();
    let (configured, released) = (Arc::new(AtomicUsize::new(0)), Mutex::new(released));
    let count = configured.clone();
    let configure_slowly = move |options: &DirectoryOptions| {
        // The first call is made in advance.
        if count.fetch_add(1, Ordering::Relaxed) > 0 {
            released.lock().unwrap().recv_timeout(PROMPTLY * 2).map_err(io::Error::other)?;
            return configure(options);
        }
        Err(io::Error::other("not yet"))
    };
    let options = DirectoryOptions::default();
    let other = SharedCache::open_or_attach(directory.path(), options, configure_slowly).await.unwrap();
    eventually(|| configured.load(Ordering::Relaxed) == 1).await;
    owner.close().await.unwrap();
    let since = Instant::now();
    eventually(|| configured.load(Ordering::Relaxed) == 2).await;
    other.close().await.unwrap();
    assert!(since.elapsed() < PROMPTLY, "{:?}", since.elapsed());
    release.send(()).unwrap();
    assert_eq!(other.role(), Role::Closed);
    eventually(|| DirectoryLock::acquire(directory.path()).is_ok()).await;
}

#[tokio::test]
async fn configuring_does_not_block_the_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let configure_slowly = move |options: &DirectoryOptions| {
        released.lock().unwrap().recv_timeout(PROMPTLY).map_err(io::Error::other)?;
        configure(options)
    };
    let opening = SharedCache::open_or_attach(directory.path(), DirectoryOptions::default(), configure_slowly);
    let (opened, ()) = tokio::join!(opening, async { release.send(()).unwrap() });
    assert_eq!(opened.unwrap().role(), Role::Owner);
}
