//! What happens when the store fails: every response is right, and comes in time.

use http::Method;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::soon::soon;

use crate::node::{Node, objects};

/// A timeout that a response of the store in this process does not need, even on a busy machine.
const SHORT: [&str; 2] = ["--tier-timeout-ms", "3000"];

/// With each fault, the outcome of a lookup.
const LOOKUPS: [(Fault, &str); 12] = [
    (Fault::NoBucket, "failed"),
    (Fault::Status(401), "failed"),
    (Fault::Status(403), "failed"),
    (Fault::Status(404), "miss"),
    (Fault::Status(412), "failed"),
    (Fault::Status(429), "failed"),
    (Fault::Status(500), "failed"),
    (Fault::Status(503), "failed"),
    (Fault::Partial, "failed"),
    (Fault::Stall, "failed"),
    (Fault::OtherBytes, "damaged"),
    (Fault::Silence, "failed"),
];

#[tokio::test]
async fn media_comes_from_the_origin_whatever_the_store_does() {
    for (fault, outcome) in LOOKUPS {
        let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
        let urls = [1, 2].map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number)));
        let first = Node::start(&store).await;
        for url in &urls {
            first.media(url).await.is("miss");
        }
        first.until_uploads("stored", 2).await;
        let second = Node::start_with(&store, &SHORT).await;
        store.fail(fault);
        let media = second.media(&urls[0]).await.is("miss");
        assert_eq!((media.status, &media.body), (200, &png(1).into()), "{fault:?}");
        assert_eq!((origin.requests("/1.png"), second.count("lookups", outcome).await), (2, 1), "{fault:?}");
        store.recover();
        // Nothing has to be done, and one failure is not an outage.
        assert_eq!(second.media(&urls[1]).await.body, png(2), "{fault:?}");
        assert_eq!((origin.requests("/2.png"), second.count("lookups", "hit").await), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn upload_is_tried_again_until_the_store_has_recovered() {
    for fault in
        [401, 403, 404, 412, 429, 500, 503].map(Fault::Status).into_iter().chain([Fault::NoBucket, Fault::Partial, Fault::Silence])
    {
        let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
        let url = origin.serves("/1.png", "image/png", png(1));
        let node = Node::start_with(&store, &SHORT).await;
        store.fail_only(fault, Method::PUT);
        assert_eq!(node.media(&url).await.body, png(1), "{fault:?}");
        soon(async {
            while store.requests(&Method::PUT, ".dat") == 0 {
                tokio::task::yield_now().await
            }
        })
        .await;
        store.recover();
        node.until_uploads("stored", 1).await;
        let [body, _] = objects(&url);
        assert_eq!(store.object(&body).unwrap(), png(1), "{fault:?}");
    }
}

#[tokio::test]
async fn damaged_objects_are_not_used_and_are_replaced() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/1.png", "image/png", png(1));
    let other = origin.serves("/2.png", "image/png", png(2));
    let first = Node::start(&store).await;
    first.media(&url).await.is("miss");
    first.media(&other).await.is("miss");
    first.until_uploads("stored", 2).await;
    let ([body, sidecar], [other_body, other_sidecar]) = (objects(&url), objects(&other));
    let [intact_body, intact_sidecar] = [&body, &sidecar].map(|name| store.object(name).unwrap());
    let text = String::from_utf8(intact_sidecar.to_vec()).unwrap();
    let without_digest = text.split_once(",\"sha256\"").unwrap().0.to_owned() + "}";
    for (what, name, bytes) in [
        ("a body of another entry", &body, store.object(&other_body).unwrap()),
        ("a body that is too long", &body, [&intact_body[..], b"x"].concat().into()),
        ("a body that is too short", &body, intact_body.slice(1..)),
        ("an empty body", &body, "".into()),
        ("a sidecar of another entry", &sidecar, store.object(&other_sidecar).unwrap()),
        ("no sidecar", &sidecar, "no JSON".into()),
        ("an empty sidecar", &sidecar, "".into()),
        ("a large sidecar", &sidecar, vec![b' '; 200_000].into()),
        ("a sidecar without a digest", &sidecar, without_digest.into()),
        ("a sidecar with another digest", &sidecar, text.replace("\"sha256\":\"", "\"sha256\":\"0").into()),
    ] {
        store.write(name, bytes);
        let node = Node::start(&store).await;
        assert_eq!(node.media(&url).await.body, png(1), "{what}");
        assert_eq!(node.count("lookups", "damaged").await, 1, "{what}");
        node.until_uploads("stored", 1).await;
        let replaced = [&body, &sidecar].map(|name| store.object(name).unwrap());
        assert_eq!(replaced[0], intact_body, "{what}");
        assert!(String::from_utf8_lossy(&replaced[1]).contains("\"sha256\""), "{what}");
    }
}

#[tokio::test]
async fn private_sidecar_in_the_store_is_not_used() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let url = origin.serves("/1.png", "image/png", png(1));
    let first = Node::start(&store).await;
    first.media(&url).await.is("miss");
    first.until_uploads("stored", 1).await;
    let [_, sidecar] = objects(&url);
    let text = String::from_utf8(store.object(&sidecar).unwrap().to_vec()).unwrap();
    store.write(&sidecar, text.replace("{\"mimetype\"", "{\"private\":true,\"mimetype\""));
    let second = Node::start(&store).await;
    assert_eq!(second.media(&url).await.body, png(1));
    assert_eq!((second.count("lookups", "refused").await, origin.requests("/1.png")), (1, 2));
}
