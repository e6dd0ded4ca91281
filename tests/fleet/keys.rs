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
    let with_times = |path: fn(&str, Option<u64>) -> String| move |url: &str| TIMES.map(|expires| path(url, expires)).to_vec();
    let query_link = |url: &str| media_path(url).replacen("/media", camo_link(KEY, url).rsplit_once('/').unwrap().0, 1);
    let forms: [(&str, &dyn Fn(&str) -> Vec<String>); 4] = [
        ("digest", &with_times(digest_path)),
        ("query", &with_times(query_path)),
        ("link", &|url| vec![camo_link(KEY, url); 3]),
        ("query-link", &|url| vec![query_link(url), query_link(url)]),
    ];
    for (name, paths) in forms {
        for url in fleet.images(name, 12) {
            let paths = paths(&url);
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
