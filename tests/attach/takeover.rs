//! What attached processes do when the owner closes the cache.

use std::sync::Arc;

use futures::future::join_all;
use media_cache_attach::Role;
use media_cache_test_support::soon::{eventually, soon};
use tokio::sync::Notify;

use crate::shared::{media, open, text};

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
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let downloader = {
        let (started, release) = (started.clone(), release.clone());
        move |_: String| {
            let (started, release) = (started.clone(), release.clone());
            async move {
                started.notify_one();
                release.notified().await;
                Ok(media("downloaded once"))
            }
        }
    };
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
