//! Calls of attached processes.

use std::os::unix::fs::PermissionsExt;

use media_cache::{CacheError, EntryFilter, Health, PolicySpec, Source, StoreError};
use media_cache_attach::{AttachError, DirectoryOptions, PolicyError, Role};

use crate::shared::{LARGE, media, open, open_with, text};

#[tokio::test]
async fn attached_process_has_the_same_entries_as_the_owner() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!((owner.role(), other.role()), (Role::Owner, Role::Attached));
    let large = "x".repeat(LARGE);
    for (url, content) in [("test:small", "small"), ("test:large", large.as_str())] {
        assert!(!other.put(url, media(content)).await.unwrap().known);
        for cache in [&owner, &other] {
            let got = cache.get(url).await.unwrap().unwrap();
            assert_eq!((text(&got).await == content, got.mimetype(), got.filename()), (true, "text/plain", "a.txt"));
        }
        let again = owner.put(url, media("different")).await.unwrap();
        assert!(again.known && text(&again.media).await == content);
    }
    let urls = |page: media_cache::Page| page.entries.into_iter().map(|entry| entry.url).collect::<Vec<_>>();
    assert_eq!(urls(other.entries(None, 10).await.unwrap()), urls(owner.entries(None, 10).await.unwrap()));
    assert!(other.get("test:absent").await.unwrap().is_none());
    assert!(other.remove("test:small").await.unwrap() && !other.remove("test:small").await.unwrap());
    assert!(owner.get("test:small").await.unwrap().is_none());
    assert_eq!(other.remove_matching(EntryFilter::All).await.unwrap(), 1);
    let ((status, load), (same, _)) = (other.status().await.unwrap(), owner.status().await.unwrap());
    assert_eq!((status.cache.entries, status.cache.hits, load.unwrap().entries), (0, same.cache.hits, 0));
    assert!(matches!(other.health().await.unwrap(), Health::Storing));
    other.checkpoint().await.unwrap();
}

#[tokio::test]
async fn large_body_of_a_file_and_of_a_resident_entry_arrives_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let content = "0123456789".repeat(LARGE);
    other.put("test:a", media(content.clone())).await.unwrap();
    let sources = [other.get("test:a").await.unwrap().unwrap(), owner.get("test:a").await.unwrap().unwrap()];
    for got in &sources {
        assert!(text(got).await == content && got.source != Source::Origin);
    }
    // The bytes outlive their entry.
    other.remove("test:a").await.unwrap();
    assert_eq!(text(&sources[0]).await.len(), content.len());
}

#[tokio::test]
async fn policy_is_shown_and_replaced_from_an_attached_process() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!(other.policy().await.unwrap().name, "lru");
    assert_eq!(other.swap_policy(PolicySpec::built_in("sieve")).await.unwrap().name, "sieve");
    assert_eq!(owner.policy().await.unwrap().name, "sieve");
    assert_eq!(other.rollback_policy().await.unwrap().name, "lru");
    let unknown = other.swap_policy("lru:depth=1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(&unknown, PolicyError::Kept(why) if why.contains("depth")), "{unknown}");
}

#[tokio::test]
async fn errors_have_the_same_type_in_an_attached_process() {
    let directory = tempfile::tempdir().unwrap();
    let (_owner, other) = (open(directory.path()).await, open(directory.path()).await);
    let invalid = other.remove_matching(EntryFilter::Host("a b".into())).await.unwrap_err();
    assert!(matches!(invalid, CacheError::Store(StoreError::InvalidUrl(_))), "{invalid}");
    let outcome = other.put("not a URL", media("a")).await.map(|_| ()).unwrap_err();
    assert!(matches!(outcome, CacheError::Store(StoreError::InvalidUrl(_))), "{outcome}");
    other.close().await.unwrap();
    assert!(matches!(other.get("test:a").await, Err(CacheError::Closed)));
}

#[tokio::test]
async fn explicit_option_that_differs_from_the_value_of_the_owner_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let with = |megabytes: u32| DirectoryOptions::default().with("max-size-mb", megabytes);
    let owner = open_with(directory.path(), with(70)).await.unwrap();
    let same = open_with(directory.path(), with(70)).await.unwrap();
    let adopts = open(directory.path()).await;
    assert_eq!((same.options(), adopts.options()), (owner.options(), owner.options()));
    let error = open_with(directory.path(), with(80)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, AttachError::Conflict(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "the option max-size-mb is 80, but the process that owns the directory is configured with 70; set the same value in both, or omit the option to \
         use that of the owner"
    );
    // The options remain those of the directory when it gets another owner.
    owner.close().await.unwrap();
    adopts.put("test:a", media("a")).await.unwrap();
    assert_eq!(adopts.status().await.unwrap().0.cache.max_disk_bytes, 70 << 20);
}

#[tokio::test]
async fn explicit_option_that_differs_from_the_default_of_the_owner_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let with_default = |megabytes: u32| DirectoryOptions::default().with_default("max-size-mb", megabytes);
    let owner = open_with(directory.path(), with_default(70)).await.unwrap();
    let error = open_with(directory.path(), with_default(70).with("max-size-mb", 80)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, AttachError::Conflict(_)), "{error}");
    // A default of another program is not a conflict, and the option remains that of the owner.
    let next = open_with(directory.path(), with_default(80).with_default("gif", "never")).await.unwrap();
    owner.close().await.unwrap();
    assert_eq!(next.status().await.unwrap().0.cache.max_disk_bytes, 70 << 20);
    assert_eq!((next.options().get("max-size-mb"), next.options().get("gif")), (Some("70"), Some("never")));
}

#[tokio::test]
async fn socket_is_private_and_is_removed_when_the_owner_closes_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    let socket = directory.path().join(".media-cache/socket");
    assert_eq!(socket.symlink_metadata().unwrap().permissions().mode() & 0o777, 0o600);
    owner.close().await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn selected_policy_remains_active_after_takeovers_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (owner, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!(other.swap_policy(PolicySpec::built_in("sieve")).await.unwrap().name, "sieve");
    owner.close().await.unwrap();
    assert_eq!(other.policy().await.unwrap().name, "sieve");
    assert_eq!(other.swap_policy(PolicySpec::built_in("gdsf")).await.unwrap().name, "gdsf");
    other.close().await.unwrap();
    let next = open(directory.path()).await;
    assert_eq!(next.policy().await.unwrap().name, "gdsf");
    next.close().await.unwrap();
    let configured = DirectoryOptions::default().with("policy", "s3-fifo");
    let reconfigured = open_with(directory.path(), configured).await.unwrap();
    assert_eq!(reconfigured.policy().await.unwrap().name, "s3-fifo");
    reconfigured.close().await.unwrap();
    assert_eq!(open(directory.path()).await.policy().await.unwrap().name, "lru", "the earlier selection does not come back");
}
