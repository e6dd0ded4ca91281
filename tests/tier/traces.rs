//! The spans of operations on the second tier.

use futures::future::join;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::otlp_collector::OtlpCollector;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::soon;

use crate::node::{LOCATION, Node};

/// A node whose requests are traced.
async fn traced(store: &ObjectStore, collector: &OtlpCollector) -> Node {
    let variables = [store.variables(), vec![("OTEL_BSP_SCHEDULE_DELAY", "20".into())]].concat();
    let arguments = ["--tier-lease-kb", "0", "--trace-ratio", "1", "--otlp-endpoint", &collector.endpoint()];
    Node::start_at(LOCATION, &variables, &arguments).await
}

#[tokio::test]
async fn lookup_lease_and_upload_have_spans() {
    let (store, origin, collector) = (ObjectStore::start().await, HttpOrigin::start().await, OtlpCollector::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let first = traced(&store, &collector).await;
    first.media(&url).await.is("miss");
    let (get, lease, put) =
        (collector.span("tier get").await, collector.span("tier lease").await, collector.span("tier put").await);
    let (request, lookup, download) =
        (collector.span("GET /media").await, collector.span("lookup").await, collector.span("GET").await);
    for span in [&get, &lease] {
        assert_eq!((&span.trace, &span.parent, span.kind.as_str()), (&request.trace, &lookup.id, "Client"), "{span:?}");
        assert_eq!(span.attribute("media_cache.key"), &sha256(&url)[..16]);
    }
    assert_eq!((put.parent.as_str(), &put.links), ("", &vec![lookup.id.clone()]), "the trace does not wait for the upload");
    assert_eq!([&get, &lease, &put].map(|span| span.attribute("media_cache.outcome")), ["miss", "granted", "stored"]);
    assert!(get.time.1 <= lease.time.0 && lease.time.1 <= download.time.0 && download.time.0 <= put.time.0);
    assert!(lookup.is_during(&request) && lease.is_during(&lookup));
    let size = png(1).len().to_string();
    assert_eq!(put.attribute("media_cache.size"), size);
    let second = traced(&store, &collector).await;
    second.media(&url).await.is("tier");
    let [_, found] = &collector.wait_for("tier get", 2).await[..] else { panic!("{:?}", collector.spans()) };
    assert_eq!((found.attribute("media_cache.outcome"), found.attribute("media_cache.size")), ("hit", size.as_str()));
    collector.wait_for("GET /media", 2).await;
    assert_eq!(collector.wait_for("GET", 1).await.len(), 1, "the second node does not contact the origin");
}

#[tokio::test]
async fn failure_of_the_store_is_the_outcome_of_the_spans() {
    let (store, origin, collector) = (ObjectStore::start().await, HttpOrigin::start().await, OtlpCollector::start().await);
    let node = traced(&store, &collector).await;
    store.fail(Fault::Status(403));
    node.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    assert_eq!(collector.span("tier get").await.attribute("media_cache.outcome"), "failed");
    assert_eq!(collector.span("tier lease").await.attribute("media_cache.outcome"), "failed");
    // The upload is tried again for minutes.
    collector.span("GET /media").await;
}

#[tokio::test]
async fn request_coalesced_into_a_lookup_in_the_store_is_linked_to_it() {
    let (store, origin, collector) = (ObjectStore::start().await, HttpOrigin::start().await, OtlpCollector::start().await);
    let url = origin.serves("/a.png", "image/png", png(1));
    let latch = origin.hold("/a.png");
    let (first, second) = (Node::start_with(&store, &["--tier-lease-kb", "0"]).await, traced(&store, &collector).await);
    let waiting = async {
        latch.reached().await;
        let coalescing = async {
            soon(async { while second.stats().await["downloads"]["coalesced"] != 1 {} }).await;
            latch.open();
        };
        let (media, ()) = join(join(second.media(&url), second.media(&url)), coalescing).await;
        media
    };
    let (downloaded, (one, other)) = join(first.media(&url), waiting).await;
    for response in [downloaded, one, other] {
        assert_eq!(response.status, 200);
    }
    let mut lookups = collector.wait_for("lookup", 2).await;
    lookups.sort_by_key(|lookup| lookup.attribute("media_cache.coalesced").to_owned());
    let [leader, follower] = &lookups[..] else { panic!("{lookups:?}") };
    let of = |name: &str| [leader, follower].map(|lookup| lookup.attribute(name).to_owned());
    assert_eq!(of("media_cache.source"), ["tier", "tier"]);
    assert_eq!(of("media_cache.coalesced"), ["", "true"]);
    assert_eq!((&leader.links, &follower.links), (&vec![], &vec![leader.id.clone()]));
}
