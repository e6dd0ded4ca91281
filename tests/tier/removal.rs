//! Removing an entry also removes it from the tier.

use http::Method;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::soon::soon;

use crate::node::{Node, objects};

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
