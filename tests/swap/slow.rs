//! Swaps to a policy that takes a long time to seed.

use std::time::Duration;

use media_cache::policy::{PolicyLimits, PolicyOrigin, PolicySpec, PolicyStatus, SwapError, SwapProgress};
use media_cache::{Builder, MediaCache};
use media_cache_test_components as components;
use media_cache_test_support::cache_requests::fill;
use media_cache_test_support::cache_rig::{CacheRig, ENGINE, SMALL, entry_budget};
use media_cache_test_support::cache_state::order;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;
use tokio::task::JoinHandle;

use crate::requests::policy;

/// Gives calls enough time for a slow policy.
pub fn patient(builder: Builder) -> Builder {
    builder.policy_limits(PolicyLimits { call_time: Duration::from_secs(60), ..PolicyLimits::default() })
}

/// The number of entries in each tier.
const ENTRIES: u64 = 60;

/// A cache with enough entries to keep a slow policy busy for a few tenths of a second.
async fn filled(rig: &CacheRig) -> MediaCache {
    let set = |builder: Builder| entry_budget(patient(builder), ENTRIES * SMALL).max_memory_items(ENTRIES as u32);
    let cache = rig.open_with(set).await;
    for number in 0..ENTRIES {
        fill(&cache, &[&format!("test:{number}")]).await;
    }
    cache
}

/// Waits until the progress of the swap meets a condition.
async fn until(cache: &MediaCache, reached: impl Fn(Option<SwapProgress>) -> bool) {
    let reached = async {
        while !reached(cache.policy().swap) {
            tokio::task::yield_now().await;
        }
    };
    soon(reached).await;
}

fn begun(progress: Option<SwapProgress>) -> bool {
    progress.is_some_and(|swap| swap.seeded > 0)
}

/// Starts to swap in a slow policy, and waits until it is being seeded.
async fn begin_slow_swap(cache: &MediaCache) -> JoinHandle<Result<PolicyStatus, SwapError>> {
    let swapped = cache.clone();
    let swap = tokio::spawn(async move { swapped.swap_policy(policy(components::SLOW_WHEN_SEEDED)).await });
    until(cache, begun).await;
    swap
}

#[tokio::test]
async fn status_reports_the_progress_of_a_slow_swap() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    let swap = begin_slow_swap(&cache).await;
    let progress = cache.policy().swap.unwrap();
    assert_eq!(
        (&progress.to, progress.seeded, progress.entries),
        (&PolicyOrigin::Upload, ENTRIES, 2 * ENTRIES),
        "one of two tiers is seeded"
    );
    assert_eq!((cache.policy().name.as_str(), cache.policy().swaps), ("lru", 0), "the old policy is still active");
    assert!(progress.since >= cache.policy().since);
    until(&cache, |swap| swap.is_none()).await;
    assert_eq!(cache.policy().name, "slow-when-seeded");
    assert_eq!(swap.await.unwrap().unwrap().swap, None);
}

#[tokio::test]
async fn requests_do_not_wait_for_a_slow_swap() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    let swap = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED));
    let ask = async {
        let mut answered = 0;
        while cache.policy().swap.is_some() {
            let media = cache.get_or_download(&format!("test:more-{answered}")).await.unwrap();
            assert_eq!(media.body.bytes().await.unwrap(), text(&format!("test:more-{answered}")));
            answered += u64::from(cache.policy().name == "lru");
        }
        answered
    };
    let (status, answered) = soon(futures::future::join(swap, ask)).await;
    assert_eq!(status.unwrap().name, "slow-when-seeded");
    assert!(answered > 10, "{answered}");
}

#[tokio::test]
async fn second_swap_is_refused_until_a_slow_swap_ends() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    let slow = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED));
    let lru = ENGINE.built_in_policy("lru").unwrap();
    let others = async {
        assert!(matches!(cache.swap_policy(lru.clone()).await, Err(SwapError::Busy)));
        until(&cache, begun).await;
        assert!(matches!(cache.swap_policy(lru.clone()).await, Err(SwapError::Busy)));
    };
    let (status, ()) = futures::future::join(slow, others).await;
    assert_eq!(status.unwrap().swaps, 1);
    assert_eq!(cache.swap_policy(lru).await.unwrap().swaps, 2);
}

#[tokio::test]
async fn slow_swap_continues_after_its_caller_is_cancelled() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    tokio::select! {
        biased;
        status = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED)) => panic!("{status:?}"),
        () = until(&cache, begun) => {}
    }
    until(&cache, |swap| swap.is_none()).await;
    assert_eq!((cache.policy().name.as_str(), cache.policy().swaps), ("slow-when-seeded", 1));
}

#[tokio::test]
async fn close_does_not_wait_for_a_slow_swap() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    let swap = begin_slow_swap(&cache).await;
    let before = order(&cache).await;
    soon(cache.close()).await.unwrap();
    assert!(cache.policy().swap.is_some(), "the close did not wait for the swap");
    assert!(matches!(soon(swap).await.unwrap(), Err(SwapError::Closed)));
    assert_eq!((cache.policy().name.as_str(), cache.policy().swaps, cache.policy().swap), ("lru", 0, None));
    assert!(matches!(cache.swap_policy(policy(components::TRAPS)).await, Err(SwapError::Closed)));
    assert_eq!(order(&rig.open().await).await, before);
}

#[tokio::test]
async fn dropping_the_last_clone_does_not_wait_for_a_slow_swap() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    tokio::select! {
        biased;
        status = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED)) => panic!("{status:?}"),
        () = until(&cache, begun) => {}
    }
    drop(cache);
    assert_eq!(order(&rig.open_when_free().await).await.len() as u64, ENTRIES);
}

#[tokio::test]
async fn policy_that_faults_during_a_slow_swap_is_disabled_and_the_swap_completes() {
    let rig = CacheRig::create();
    let cache = filled(&rig).await;
    cache.swap_policy(policy(components::TRAPS)).await.unwrap();
    let swap = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED));
    let ask = async {
        until(&cache, begun).await;
        fill(&cache, &["test:more"]).await;
        assert_eq!((cache.policy().name.as_str(), cache.policy().fallbacks), ("lru", 1));
    };
    let (status, ()) = futures::future::join(swap, ask).await;
    let status = status.unwrap();
    assert_eq!((status.name.as_str(), status.fallbacks, status.swaps), ("slow-when-seeded", 1, 2));
    assert_eq!(status.previous, Some(PolicySpec::default()));
    crate::requests::evicts_by_use(&cache).await;
}
