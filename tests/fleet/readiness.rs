//! Nodes that run, but should get no requests.

use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::soon::soon;

use crate::fleet::{Fleet, digest_path};

crate::with_each_balancer!(
    degraded_node_gets_no_requests_if_the_balancer_checks_readiness,
    node_that_starts_later_causes_no_errors
);

/// The node that is degraded, or that starts later.
const NODE: usize = 2;

async fn degraded_node_gets_no_requests_if_the_balancer_checks_readiness(fleet: Fleet) {
    fleet.remove_directory(NODE);
    soon(async { while fleet.node(NODE).get("/readyz").await.status != 503 {} }).await;
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
