//! Nodes that run, but should get no requests.

use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::soon::soon;

use crate::fleet::{Fleet, NODES, digest_path, until_ready};

crate::with_each_balancer!(
    degraded_node_gets_no_requests_if_the_balancer_checks_readiness,
    nodes_that_are_all_degraded_pass_media_through_unless_haproxy_is_in_front,
    node_that_starts_later_causes_no_errors
);

/// The node that is degraded, or that starts later.
const NODE: usize = 2;

async fn degraded_node_gets_no_requests_if_the_balancer_checks_readiness(fleet: Fleet) {
    fleet.remove_directory(NODE);
    until_ready(fleet.node(NODE), 503).await;
    let requests = async || {
        let stats = fleet.node(NODE).stats().await;
        ["hits", "misses"].map(|name| stats["media_cache"][name].as_u64().unwrap()).iter().sum::<u64>()
    };
    let mut round = 0;
    soon(async {
        loop {
            let before = requests().await;
            for url in fleet.images(&format!("round{round}-"), 20) {
                assert_eq!(fleet.get(&digest_path(&url, None)).await.status, 200);
            }
            round += 1;
            // nginx does not check, and the node passes media through.
            let is_avoided = requests().await == before;
            if is_avoided != (fleet.kind == BalancerKind::Nginx) {
                return;
            }
        }
    })
    .await;
}

async fn nodes_that_are_all_degraded_pass_media_through_unless_haproxy_is_in_front(fleet: Fleet) {
    for node in 0..NODES {
        fleet.remove_directory(node);
        until_ready(fleet.node(node), 503).await;
    }
    if fleet.kind != BalancerKind::Nginx {
        // Two failed checks, and a third that shows that the balancer has evaluated the second.
        for node in 0..NODES {
            let before = failed_checks(&fleet, node).await;
            soon(async { while failed_checks(&fleet, node).await < before + 3.0 {} }).await;
        }
    }
    for url in fleet.images("degraded", 10) {
        let expected = if fleet.kind == BalancerKind::Haproxy { 503 } else { 200 };
        assert_eq!(fleet.get(&digest_path(&url, None)).await.status, expected);
    }
}

async fn failed_checks(fleet: &Fleet, node: usize) -> f64 {
    let metrics = fleet.metrics(node).await;
    let failed = metrics.lines().filter(|line| line.starts_with("media_cache_requests_total{route=\"/readyz\""));
    failed.filter(|line| line.contains("degraded")).map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

async fn node_that_starts_later_causes_no_errors(mut fleet: Fleet) {
    fleet.kill(NODE).await;
    for url in fleet.images("before", 10) {
        assert_eq!(fleet.get(&digest_path(&url, None)).await.status, 200);
    }
    fleet.restart(NODE).await;
    // The node accepts connections before its cache is loaded. Requests are never refused because of that.
    let mut round = 0;
    soon(async {
        while fleet.node(NODE).stats().await["media_cache"]["misses"] == 0 {
            for url in fleet.images(&format!("after{round}-"), 10) {
                let answer = fleet.get(&digest_path(&url, None)).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            round += 1;
        }
    })
    .await;
}
