//! A process that has to own the directory claims it, and the owner hands it over and attaches.

use std::sync::Arc;

use futures::future::join_all;
use media_cache::{FetchError, FetchedMedia, LockError, MediaCache, Spool, SpooledBody};
use media_cache_attach::{Claim, ClaimError, DirectoryOptions, Listener, Role};
use media_cache_test_support::soon::{eventually, soon};
use tokio::sync::Notify;

use crate::shared::{configure, held, media, open, text};

/// Opens a cache as a service does.
async fn serve(directory: &std::path::Path, options: DirectoryOptions) -> (MediaCache, Listener) {
    let claim = soon(Claim::take(directory, &options)).await.unwrap();
    let cache = configure(&DirectoryOptions::default()).unwrap().directory(directory).open().await.unwrap();
    let listener = Listener::start(cache.clone(), options, None).unwrap();
    drop(claim);
    (cache, listener)
}

#[tokio::test]
async fn owner_hands_the_directory_over_and_takes_it_back_without_a_failed_call() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let others = join_all((0..3).map(|_| open(directory.path()))).await;
    let calls = |round: usize| {
        let all = std::iter::once(&owner).chain(&others).cloned();
        join_all(all.enumerate().map(move |(number, cache)| async move {
            for call in 0..20 {
                let url = format!("test:{round}-{number}-{call}");
                assert!(cache.put(&url, media(url.clone())).await.unwrap().not_stored.is_none());
                assert_eq!(text(&cache.get(&url).await.unwrap().unwrap()).await, url);
            }
        }))
    };
    for round in 0..3 {
        let (service, _) = tokio::join!(serve(directory.path(), DirectoryOptions::default()), calls(2 * round));
        let (cache, listener) = service;
        eventually(|| std::iter::once(&owner).chain(&others).all(|cache| cache.role() == Role::Attached)).await;
        assert_eq!(cache.status().await.unwrap().cache.entries, 80 * (2 * round as u64 + 1));
        let stop = async {
            listener.stop().await;
            cache.close().await.unwrap();
        };
        tokio::join!(stop, calls(2 * round + 1));
        let owners = || std::iter::once(&owner).chain(&others).filter(|cache| cache.role() == Role::Owner).count();
        eventually(|| owners() == 1).await;
    }
}

#[tokio::test]
async fn download_that_does_not_end_continues_with_the_next_owner() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let (downloader, started, release) = held("downloaded");
    let download = owner.get_or_download_with("test:a", downloader);
    let claim = async {
        started.notified().await;
        let service = serve(directory.path(), DirectoryOptions::default()).await;
        release.notify_one();
        service
    };
    let (got, (cache, _listener)) = tokio::join!(soon(download), claim);
    assert_eq!(text(&got.unwrap()).await, "downloaded");
    assert_eq!(text(&cache.get("test:a").await.unwrap().unwrap()).await, "downloaded");
}

#[tokio::test]
async fn body_that_is_arriving_continues_with_the_next_owner() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let mut body = SpooledBody::new(1 << 20, Spool::temporary(), None);
    body.append("the beginning".into()).await.unwrap();
    let (body, mut writer) = body.into_arriving();
    let started = Arc::new(Notify::new());
    let download = {
        let started = started.clone();
        owner.get_or_download_with("test:a", move |_: String| {
            started.notify_one();
            let body = body.clone();
            async move { Ok(FetchedMedia::new(body, "text/plain", "a.txt")) }
        })
    };
    let claim = async {
        started.notified().await;
        let service = serve(directory.path(), DirectoryOptions::default()).await;
        writer.append(" and the end".into()).await.unwrap();
        writer.finish(|error| FetchError::Other(error.to_string())).await;
        service
    };
    let (got, (cache, _listener)) = tokio::join!(soon(download), claim);
    assert_eq!(text(&got.unwrap()).await, "the beginning and the end");
    assert_eq!(text(&cache.get("test:a").await.unwrap().unwrap()).await, "the beginning and the end");
}

#[tokio::test]
async fn process_that_claimed_the_directory_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, _listener) = serve(directory.path(), DirectoryOptions::default()).await;
    let claimed = soon(Claim::take(directory.path(), &DirectoryOptions::default())).await;
    assert!(matches!(claimed, Err(ClaimError::Lock(LockError::InUse { .. }))), "{claimed:?}");
    assert_eq!(cache.status().await.unwrap().cache.entries, 0);
}

#[tokio::test]
async fn previous_owner_takes_the_directory_back_if_the_claim_is_released() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    owner.put("test:a", media("a")).await.unwrap();
    let claim = soon(Claim::take(directory.path(), &DirectoryOptions::default())).await.unwrap();
    assert_eq!(owner.role(), Role::Attached);
    let (got, ()) = tokio::join!(soon(owner.get("test:a")), async { drop(claim) });
    assert_eq!(text(&got.unwrap().unwrap()).await, "a");
    assert_eq!(owner.role(), Role::Owner);
}

#[tokio::test]
async fn owner_with_other_explicit_options_keeps_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let options = DirectoryOptions::default().with("policy", "sieve");
    let owner = media_cache_attach::SharedCache::open_or_attach(directory.path(), options, configure).await.unwrap();
    let claimed = soon(Claim::take(directory.path(), &DirectoryOptions::default().with_default("policy", "lru"))).await;
    let conflict = claimed.unwrap_err().to_string();
    assert!(conflict.contains("policy is sieve") && conflict.contains("is configured with lru"), "{conflict}");
    assert_eq!(owner.role(), Role::Owner);
    owner.put("test:a", media("a")).await.unwrap();
}

#[tokio::test]
async fn claims_are_made_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let options = DirectoryOptions::default();
    let first = soon(Claim::take(directory.path(), &options)).await.unwrap();
    assert!(Claim::is_made(directory.path()));
    let (second, ()) = tokio::join!(soon(Claim::take(directory.path(), &options)), async { drop(first) });
    drop(second.unwrap());
    assert!(!Claim::is_made(directory.path()));
}
