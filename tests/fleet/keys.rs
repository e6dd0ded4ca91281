//! Which node a request goes to.

use http::Method;
use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::camo::camo_link;
use media_cache_test_support::http_client::{media_path, send};

use crate::fleet::{Fleet, KEY, NODES, digest_path, query_path};

crate::with_each_balancer!(
    a_url_always_goes_to_the_same_node,
    both_forms_of_a_url_share_a_node_only_if_the_balancer_computes_digests,
    keys_are_divided_among_all_nodes,
);

/// Later than any test.
const TIMES: [Option<u64>; 3] = [None, Some(4_000_000_000), Some(4_000_000_001)];

async fn a_url_always_goes_to_the_same_node(fleet: Fleet) {
    for form in ["digest", "query", "link", "query-link"] {
        for url in fleet.images(form, 12) {
            let paths = paths(form, &url);
            fleet.get(&paths[0]).await.is("miss");
            for path in &paths {
                fleet.get(path).await.is("hit");
                send(fleet.request(Method::HEAD, path)).await.is("hit");
            }
        }
    }
    let holders = fleet.holders(48).await;
    assert!(holders.values().all(|nodes| nodes.len() == 1), "{holders:?}");
    for node in 0..NODES {
        assert!(holders.values().any(|nodes| nodes == &[node]), "node {node} has nothing: {holders:?}");
    }
}

/// Paths of one form for the media of a URL. Signed ones have different signatures.
fn paths(form: &str, url: &str) -> Vec<String> {
    let link = camo_link(KEY, url);
    match form {
        "digest" => TIMES.map(|expires| digest_path(url, expires)).into(),
        "query" => TIMES.map(|expires| query_path(url, expires)).into(),
        "link" => vec![link],
        _ => vec![media_path(url).replacen("/media", link.rsplit_once('/').unwrap().0, 1)],
    }
}

/// HAProxy can compute a digest. The others use the URL as it is encoded.
async fn both_forms_of_a_url_share_a_node_only_if_the_balancer_computes_digests(fleet: Fleet) {
    let mut hits = 0;
    for url in fleet.images("both", 24) {
        fleet.get(&digest_path(&url, None)).await.is("miss");
        let second = fleet.get(&query_path(&url, None)).await;
        assert_eq!(second.status, 200);
        hits += usize::from(second.header("x-cache") == "hit");
    }
    match fleet.kind {
        BalancerKind::Haproxy => assert_eq!(hits, 24),
        _ => assert!(hits < 24, "docs/load-balancing.md says that they differ"),
    }
}

async fn keys_are_divided_among_all_nodes(fleet: Fleet) {
    let urls = fleet.images("many", 240);
    for url in &urls {
        fleet.get(&digest_path(url, None)).await.is("miss");
    }
    let holders = fleet.holders(urls.len()).await;
    for node in 0..NODES {
        let share = holders.values().filter(|nodes| nodes.contains(&node)).count();
        assert!((40..=120).contains(&share), "node {node} has {share} of {}", urls.len());
    }
}
