//! Nodes that end, and nodes that return.

use std::collections::BTreeMap;

use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::http_origin::Page;

use crate::fleet::{Fleet, digest_path};

crate::with_each_balancer!(only_the_keys_of_a_killed_node_move, error_of_an_origin_is_not_retried_on_another_node);

/// The node that is killed.
const KILLED: usize = 1;

async fn only_the_keys_of_a_killed_node_move(mut fleet: Fleet) {
    let urls = fleet.images("moving", 90);
    for url in &urls {
        fleet.get(&digest_path(url, None)).await.is("miss");
    }
    let before: BTreeMap<_, _> = fleet.holders(urls.len()).await.into_iter().map(|(url, nodes)| (url, nodes[0])).collect();
    fleet.kill(KILLED).await;
    let mut moved = 0;
    for url in &urls {
        let answer = fleet.get(&digest_path(url, None)).await;
        assert_eq!(answer.status, 200, "no request fails: {}", answer.text());
        let is_lost = before[url] == KILLED;
        assert!(!is_lost || answer.header("x-cache") == "miss", "{url}");
        moved += usize::from(!is_lost && answer.header("x-cache") == "miss");
    }
    // With Maglev, a few other keys move, too.
    let most = if fleet.kind == BalancerKind::Envoy { urls.len() / 20 } else { 0 };
    assert!(moved <= most, "{moved} keys of other nodes moved");

    // Once it is back, its media is still stored there.
    fleet.restart(KILLED).await;
    let url = urls.iter().find(|url| before[*url] == KILLED).unwrap();
    let hits = async || fleet.node(KILLED).stats().await["media_cache"]["hits"].as_u64().unwrap();
    media_cache_test_support::soon::soon(async {
        while hits().await == 0 {
            assert_eq!(fleet.get(&digest_path(url, None)).await.status, 200);
        }
    })
    .await;
}

/// The next node would only ask the origin again.
async fn error_of_an_origin_is_not_retried_on_another_node(fleet: Fleet) {
    for (status, expected) in [(503, 503), (404, 404), (500, 502)] {
        let page = Page::status(status).with_header("retry-after", "60");
        let url = fleet.origin.answers(&format!("/{status}.png"), page);
        let answer = fleet.get(&digest_path(&url, None)).await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.header("content-type"), "application/problem+json", "the response of the node");
        let asked = fleet.origin.requests(&format!("/{status}.png"));
        // A node retries a 500 itself.
        assert_eq!(asked, if status == 500 { 3 } else { 1 });
    }
}
