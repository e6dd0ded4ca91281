//! Removing an entry also removes it from the tier.

use http::Method;
use media_cache_test_support::binary::binary;
use media_cache_test_support::command::{CommandOutput, finish};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

use crate::node::{LOCATION, Node, objects};

#[tokio::test]
async fn removed_entry_is_also_removed_from_the_tier() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let (first, second) = (Node::start(&store).await, Node::start(&store).await);
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    // It is not stored by this service, but would be taken from the tier again.
    assert_eq!(second.delete(&url).await.status, 204);
    assert_eq!(objects(&url).map(|name| store.object(&name)), [None, None]);
    assert_eq!(second.delete(&url).await.status, 404);
    first.media(&url).await.is("hit");
    assert_eq!(first.delete(&url).await.status, 204);
    first.media(&url).await.is("miss");
    assert_eq!(origin.requests("/a.png"), 2);
}

#[tokio::test]
async fn entry_that_is_removed_while_it_is_uploaded_does_not_return() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let node = Node::start(&store).await;
    store.fail_only(Fault::Status(503), Method::PUT);
    node.media(&url).await.is("miss");
    soon(async {
        while store.requests(&Method::PUT, ".dat") == 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    // The upload waits to be tried again.
    assert_eq!(node.delete(&url).await.status, 204);
    store.recover();
    node.until_uploads("skipped", 1).await;
    assert_eq!(objects(&url).map(|name| store.object(&name)), [None, None]);
}

#[tokio::test]
async fn failure_to_remove_an_entry_from_the_tier_is_reported() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let node = Node::start(&store).await;
    node.media(&url).await.is("miss");
    node.until_uploads("stored", 1).await;
    store.fail_only(Fault::Status(403), Method::DELETE);
    let refused = node.delete(&url).await;
    let problem = refused.json();
    assert_eq!(refused.status, 500, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("the entry was removed, but its copy in the second tier s3://bucket/media may still exist"),
        "{problem}"
    );
    store.recover();
    assert_eq!(node.delete(&url).await.status, 204, "the copy was still there");
}

/// Runs `rm` on a directory.
async fn rm(dir: &ServiceDirectory, store: &ObjectStore, variables: &[(&str, &str)], arguments: &[&str]) -> CommandOutput {
    let mut command = binary([&["rm"], arguments].concat());
    command.arg("--dir").arg(dir.cache()).envs(store.variables()).envs(variables.iter().copied());
    finish(command, &[]).await
}

fn has_copy(store: &ObjectStore, url: &str) -> bool {
    objects(url).iter().any(|name| store.object(name).is_some())
}

#[tokio::test]
async fn command_without_a_service_also_removes_the_copies() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let urls = ["/a", "/b", "/c", "/d", "/e"].map(|path| origin.serves(path, "image/png", png(1)));
    let node = Node::start(&store).await;
    for url in &urls {
        node.media(url).await.is("miss");
    }
    node.until_uploads("stored", 5).await;
    let Node { dir, service } = node;
    service.stop().await;
    let config = dir.write("config.toml", format!("tier = {LOCATION:?}\n").as_bytes());
    // The tier can be set in each of the usual places.
    rm(&dir, &store, &[("MEDIA_CACHE_TIER", LOCATION)], &[&urls[0]]).await.succeeded_silently();
    let by_prefix = ["--config", config.to_str().unwrap(), "--prefix", &urls[1], "--json"];
    let removed = rm(&dir, &store, &[], &by_prefix).await.succeeded_silently();
    assert_eq!(removed, "{\"copies\":1,\"failed\":0,\"removed\":1}\n");
    assert_eq!(urls.each_ref().map(|url| has_copy(&store, url)), [false, false, true, true, true]);
    // Without one, and with all entries, the copies stay.
    rm(&dir, &store, &[], &[&urls[2]]).await.succeeded_silently();
    let again = rm(&dir, &store, &[], &[&urls[2], "--tier", LOCATION]).await;
    assert_eq!((again.code, has_copy(&store, &urls[2])), (Some(0), false), "there was still a copy: {again:?}");
    let refused = rm(&dir, &store, &[], &["--all", "--yes", "--tier", LOCATION]).await.failed_with(2);
    assert!(refused.contains("use `media-cache tier rm --all`"), "{refused}");
    // A failure is reported, and the entry is removed nevertheless.
    store.fail(Fault::Status(403));
    let failed = rm(&dir, &store, &[], &[&urls[3], "--tier", LOCATION]).await.failed();
    let expected =
        "the entry was removed, but its copy in the second tier s3://bucket/media may still exist: the store answered 403";
    assert!(failed.contains(expected), "{failed}");
    let failed = rm(&dir, &store, &[], &["--host", "127.0.0.1", "--tier", LOCATION]).await;
    assert_eq!((failed.code, failed.text()), (Some(1), "removed 1 entry\n"));
    assert!(failed.stderr.contains("copies in the second tier s3://bucket/media may still exist"), "{}", failed.stderr);
    let failed = rm(&dir, &store, &[], &[&urls[3], "--tier", LOCATION]).await.failed();
    assert!(failed.contains("there is no entry here, but its copy in the second tier"), "{failed}");
    // What is only in the store may belong to other services.
    store.recover();
    let removed = rm(&dir, &store, &[], &["--host", "127.0.0.1", "--tier", LOCATION]).await.succeeded_silently();
    assert_eq!(removed, "removed 0 entries, and 0 in the second tier\n");
    assert_eq!(urls.each_ref().map(|url| has_copy(&store, url)), [false, false, false, true, true]);
}

#[tokio::test]
async fn failures_to_remove_an_entry_and_its_copy_are_both_reported() {
    let store = ObjectStore::start().await;
    let (dir, url) = (ServiceDirectory::create(), "https://example.org/a.png");
    let [_, sidecar] = objects(url);
    // A directory in place of the sidecar cannot be deleted.
    std::fs::create_dir_all(dir.cache().join(sidecar.strip_prefix("media/").unwrap())).unwrap();
    store.fail(Fault::Status(403));
    let failed = rm(&dir, &store, &[], &[url, "--tier", LOCATION]).await.failed();
    assert!(failed.contains("cannot delete ") && failed.contains("its copy in the second tier"), "{failed}");
}

#[tokio::test]
async fn command_removes_the_copy_of_a_url_if_the_service_in_the_directory_has_no_tier() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let node = Node::start(&store).await;
    node.media(&url).await.is("miss");
    node.until_uploads("stored", 1).await;
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    rm(&dir, &store, &[("MEDIA_CACHE_TIER", LOCATION)], &[&url]).await.succeeded_silently();
    assert!(!has_copy(&store, &url));
}

#[tokio::test]
async fn command_removes_the_copies_of_a_host_while_a_service_is_running() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let node = Node::start(&store).await;
    node.media(&url).await.is("miss");
    node.until_uploads("stored", 1).await;
    let others = Node::start(&store).await;
    let of_others = origin.serves("/b.png", "image/png", png(2));
    others.media(&of_others).await.is("miss");
    others.until_uploads("stored", 1).await;
    let removed = rm(&node.dir, &store, &[], &["--host", "127.0.0.1", "--tier", LOCATION]).await.succeeded_silently();
    assert_eq!(removed, "removed 1 entry, and 1 in the second tier\n");
    assert_eq!([&url, &of_others].map(|url| has_copy(&store, url)), [false, true]);
    node.media(&url).await.is("miss");
    assert_eq!(origin.requests("/a.png"), 2);
    node.until_uploads("stored", 2).await;
    // The service removes the copy of a URL itself, so the command neither needs credentials nor opens the tier.
    let mut command = binary(["rm", &url]);
    command.arg("--dir").arg(node.dir.cache()).env("MEDIA_CACHE_TIER", "file:///nonexistent");
    finish(command, &[]).await.succeeded_silently();
    assert!(!has_copy(&store, &url));
}
