//! Limits on connections, calls and answers.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use media_cache::{FetchError, FetchedMedia, Media, MediaCache};
use media_cache_attach::{DirectoryOptions, Listener, SharedCache};
use media_cache_test_support::soon::soon;
use tokio::time::timeout;

use crate::shared::{configure, held, media, open, text};

/// A cache that accepts this number of connections.
async fn owner_limited(directory: &std::path::Path, connections: usize) -> (MediaCache, Listener) {
    let options = DirectoryOptions::default();
    let cache = configure(&options).unwrap().directory(directory).open().await.unwrap();
    let listener = Listener::start_limited(cache.clone(), options, connections).unwrap();
    (cache, listener)
}

#[tokio::test]
async fn idle_connections_are_closed_to_make_room_for_other_processes() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, _listener) = owner_limited(directory.path(), 4).await;
    // Each process has one connection in addition to the connections for its calls.
    let processes = [open(directory.path()).await, open(directory.path()).await, open(directory.path()).await];
    for number in 0..9 {
        let url = format!("test:{number}");
        let put = processes[number % 3].put(&url, media("a"));
        assert!(soon(put).await.unwrap().not_stored.is_none());
    }
}

#[tokio::test]
async fn call_waits_while_all_connections_are_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, _listener) = owner_limited(directory.path(), 2).await;
    let other = open(directory.path()).await;
    let (downloader, started, release) = held("downloaded");
    let downloads = other.get_or_download_with("test:a", downloader);
    let waits = async {
        started.notified().await;
        let mut get = std::pin::pin!(other.get("test:b"));
        assert!(timeout(Duration::from_millis(200), &mut get).await.is_err(), "there is no connection for it");
        release.notify_one();
        get.await.unwrap()
    };
    let (downloaded, got) = soon(async { tokio::join!(downloads, waits) }).await;
    assert_eq!((text(&downloaded.unwrap()).await.as_str(), got.is_none()), ("downloaded", true));
}

#[tokio::test]
async fn page_for_an_attached_process_has_at_most_a_thousand_entries() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    join_all((0..1005).map(|number| {
        let owner = owner.clone();
        async move { owner.put(&format!("test:{number}"), media("a")).await.unwrap() }
    }))
    .await;
    let first = other.entries(None, u32::MAX).await.unwrap();
    let rest = other.entries(first.next, u32::MAX).await.unwrap();
    assert_eq!((first.entries.len(), rest.entries.len()), (1000, 5));
}

/// Downloads media with a downloader that downloads further media in the same way.
fn nested(cache: SharedCache, depth: usize) -> BoxFuture<'static, Media> {
    async move {
        let inner = cache.clone();
        let downloader = move |_: String| {
            let inner = inner.clone();
            async move {
                if depth > 0 {
                    nested(inner, depth - 1).await;
                }
                Ok::<FetchedMedia, FetchError>(media("a"))
            }
        };
        cache.get_or_download_with(&format!("test:{depth}"), downloader).await.unwrap()
    }
    .boxed()
}

#[tokio::test]
async fn downloads_nested_beyond_the_limit_of_calls_end() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!(text(&soon(nested(other, 195)).await).await, "a");
}
