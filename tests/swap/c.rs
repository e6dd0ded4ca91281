//! A policy that is not written in Rust.

use media_cache::policy::PolicyLimits;
use media_cache_conformance::Outcome;
use media_cache_test_components as components;
use media_cache_test_support::cache_requests::fill;
use media_cache_test_support::cache_rig::ENGINE;
use media_cache_test_support::cache_state::order;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::workspace::workspace_path;

use crate::requests::{Asked, ENTRIES, choice, evicts_by_use, policy};

/// The numbers of the stored entries, in ascending order.
async fn stored(asked: &Asked) -> Vec<u64> {
    let number = |url: String| url.strip_prefix("test:").unwrap().parse().unwrap();
    let mut numbers: Vec<u64> = order(&asked.cache).await.into_iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

async fn ask(asked: &Asked, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        fill(&asked.cache, &[&format!("test:{number}")]).await;
    }
}

#[tokio::test]
async fn clock_policy_in_c_evicts_by_the_clock_algorithm() {
    let asked = Asked::open(|builder| builder.policy(policy(components::CLOCK))).await;
    ask(&asked, 0..ENTRIES as u64).await;
    ask(&asked, [1, 0, 3]).await;
    ask(&asked, [10]).await;
    assert_eq!(stored(&asked).await, [0, 1, 3, 4, 5, 6, 7, 8, 9, 10], "0 and 1 are spared");
    ask(&asked, [11, 12]).await;
    assert_eq!(stored(&asked).await, [0, 1, 3, 6, 7, 8, 9, 10, 11, 12], "and so is 3");
    ask(&asked, 13..17).await;
    assert_eq!(stored(&asked).await, [0, 1, 3, 10, 11, 12, 13, 14, 15, 16]);
    ask(&asked, [17]).await;
    assert!(!stored(&asked).await.contains(&0), "0 is spared only once");
}

#[tokio::test]
async fn clock_policy_in_c_runs_and_can_be_swapped_out() {
    let mut asked = Asked::open(|builder| builder.policy(policy(components::CLOCK))).await;
    asked.ask_often(300).await;
    let stats = asked.cache.status().await.unwrap().cache;
    assert!(stats.hits > 50 && stats.evictions > 50, "{stats:?}");
    assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (0, 0));
    let status = asked.cache.policy();
    assert_eq!((status.name.as_str(), status.fallbacks, status.rejected_ids), ("clock", 0, 0));
    asked.cache.remove("test:1").await.unwrap();
    asked.cache.swap_policy(ENGINE.built_in_policy("lru").unwrap()).await.unwrap();
    evicts_by_use(&asked.cache).await;
}

#[tokio::test]
async fn clock_policy_in_c_can_be_swapped_in_and_keeps_the_order_of_eviction() {
    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(60).await;
    assert_eq!(asked.cache.swap_policy(policy(components::CLOCK)).await.unwrap().name, "clock");
    // Nothing has been used since the swap, so earlier use determines the order.
    evicts_by_use(&asked.cache).await;
    ask(&asked, (0..100).map(|number| number % 13)).await;
    assert_eq!(asked.cache.policy().fallbacks, 0);
    let error = asked.cache.swap_policy(choice(components::CLOCK, &[("hands", "2")])).await.unwrap_err();
    assert_eq!(error.to_string(), "the policy cannot be used: clock has no option \"hands\"; it has none");
}

#[test]
fn clock_policy_in_c_passes_the_conformance_suite() {
    for verdict in media_cache_conformance::run(ENGINE.policies(), &policy(components::CLOCK).into(), PolicyLimits::default()) {
        assert_eq!(verdict.outcome, Outcome::Passed, "{verdict:?}");
    }
}

#[test]
fn clock_component_matches_the_checksums_of_its_sources() {
    let directory = workspace_path("tests/components/c");
    let sums = std::fs::read_to_string(directory.join("clock.sha256")).unwrap();
    let files: Vec<(&str, &str)> = sums.lines().map(|line| line.split_once("  ").unwrap()).collect();
    assert_eq!(files.iter().map(|(_, file)| *file).collect::<Vec<_>>(), ["build.sh", "clock.c", "clock.wasm"]);
    for (sum, file) in files {
        let bytes = std::fs::read(directory.join(file)).unwrap();
        assert_eq!(sha256(bytes), sum, "{file} has changed since the component was built; rebuild it with build.sh");
    }
}
