//! The directory or its socket is removed or replaced while the cache is in use, or the socket cannot be created.

use std::fs;

use media_cache_attach::Role;
use media_cache_test_support::soon::{eventually, soon};

use crate::shared::{media, open, text};

#[tokio::test]
async fn socket_that_was_removed_is_created_again() {
    let directory = tempfile::tempdir().unwrap();
    let owner = open(directory.path()).await;
    owner.put("test:a", media("a")).await.unwrap();
    fs::remove_file(directory.path().join(".media-cache/socket")).unwrap();
    let other = soon(open(directory.path())).await;
    assert_eq!((other.role(), text(&other.get("test:a").await.unwrap().unwrap()).await.as_str()), (Role::Attached, "a"));
}

#[tokio::test]
async fn attached_process_remains_attached_if_the_directory_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let (path, socket) = (root.path().join("cache"), root.path().join("cache/.media-cache/socket"));
    let (owner, other) = (open(&path).await, open(&path).await);
    fs::rename(&path, root.path().join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    // It has no connection for this call yet.
    soon(other.put("test:a", media("a"))).await.unwrap();
    eventually(|| socket.exists()).await;
    let third = open(&path).await;
    assert_eq!([&owner, &other, &third].map(|cache| cache.role()), [Role::Owner, Role::Attached, Role::Attached]);
}

#[tokio::test]
async fn owner_of_a_replaced_directory_keeps_the_socket_of_the_next_owner() {
    let root = tempfile::tempdir().unwrap();
    let (path, new) = (root.path().join("cache"), root.path().join("new"));
    let (owner, next) = (open(&path).await, open(&new).await);
    fs::rename(&path, root.path().join("old")).unwrap();
    fs::rename(&new, &path).unwrap();
    owner.close().await.unwrap();
    assert!(path.join(".media-cache/socket").exists());
    assert_eq!((open(&path).await.role(), next.role()), (Role::Attached, Role::Owner));
}

#[tokio::test]
async fn owner_that_could_not_create_its_socket_tries_again() {
    let directory = tempfile::tempdir().unwrap();
    let obstacle = directory.path().join(".media-cache/socket.new");
    fs::create_dir_all(&obstacle).unwrap();
    let _owner = open(directory.path()).await;
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(soon(open(directory.path())).await.role(), Role::Attached);
}
