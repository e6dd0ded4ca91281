//! Replacing a policy changes nothing else.

use std::time::SystemTime;

use media_cache::policy::{PolicyChoice, PolicyOrigin, PolicySpec, PolicyStatus, SwapError};
use media_cache::{ComponentError, Engine, MediaCache, Stats, embedded};
use media_cache_test_components as components;
use media_cache_test_support::cache_rig::{CacheRig, ENGINE};
use media_cache_test_support::cache_state::{entries, order, resident};
use media_cache_test_support::sha256::sha256;

use crate::requests::{Asked, ITEMS, choice, evicts_by_use, policy};

/// Counters and sizes that a swap must not change.
fn counters(stats: &Stats) -> [u64; 12] {
    let Stats { hits, disk_hits, misses, coalesced, downloads, stored, evictions, memory_evictions, refused, .. } = *stats;
    let Stats { entries, disk_bytes, memory_bytes, .. } = *stats;
    [hits, disk_hits, misses, coalesced, downloads, stored, evictions, memory_evictions, refused, entries, disk_bytes, memory_bytes]
}

fn built_in(name: &str) -> PolicyChoice {
    ENGINE.built_in_policy(name).unwrap().into()
}

async fn stats(cache: &MediaCache) -> Stats {
    cache.status().await.unwrap().cache
}

#[tokio::test]
async fn every_built_in_policy_can_replace_every_other_one() {
    for from in embedded::policy_names() {
        for to in embedded::policy_names() {
            let mut asked = Asked::open(|builder| builder.policy(ENGINE.built_in_policy(from).unwrap())).await;
            asked.ask_often(40).await;
            let (listed, at_hand) = (order(&asked.cache).await, resident(&asked.cache).await);
            let counted = counters(&stats(&asked.cache).await);

            let status = asked.cache.swap_policy(built_in(to)).await.unwrap();
            assert_eq!((status.name.as_str(), status.swaps, status.fallbacks), (to, 1, 0), "from {from}");
            assert_eq!((order(&asked.cache).await, resident(&asked.cache).await), (listed, at_hand), "from {from} to {to}");
            assert_eq!(counters(&stats(&asked.cache).await), counted, "from {from} to {to}");

            asked.ask_often(40).await;
            let status = asked.cache.policy();
            assert_eq!((status.name.as_str(), status.fallbacks, status.rejected_ids), (to, 0, 0), "from {from}");
            assert!(status.calls > 20, "{status:?}");
            let stats = stats(&asked.cache).await;
            assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (0, 0), "from {from} to {to}");
            asked.cache.swap_policy(built_in("lru")).await.unwrap();
            evicts_by_use(&asked.cache).await;
        }
    }
}

#[tokio::test]
async fn swap_from_lru_to_lru_does_not_change_evictions() {
    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(40).await;
    for swaps in 1..20 {
        let cache = asked.cache.clone();
        let swap = cache.swap_policy(built_in("lru"));
        let (status, ()) = futures::future::join(swap, asked.ask_lru(10)).await;
        assert_eq!((status.unwrap().swaps, asked.cache.policy().swaps), (swaps, swaps));
    }
    assert_eq!(asked.cache.policy().fallbacks, 0);
}

#[tokio::test]
async fn policy_learns_of_requests_during_its_seeding() {
    let mut asked = Asked::open(crate::slow::patient).await;
    for _ in 0..3 {
        asked.ask_lru(40).await;
        let cache = asked.cache.clone();
        let swap = cache.swap_policy(policy(components::SLOW_WHEN_SEEDED));
        // Enough requests for every entry to be used, evicted and stored again several times.
        let (status, ()) = futures::future::join(swap, asked.ask_lru(100)).await;
        assert_eq!(status.unwrap().name, "slow-when-seeded");
        asked.ask_lru(40).await;
        asked.cache.swap_policy(built_in("lru")).await.unwrap();
    }
}

#[tokio::test]
async fn status_describes_the_policy_in_use_and_when_it_was_swapped_in() {
    let mut asked = Asked::open(|builder| builder).await;
    let first = asked.cache.policy();
    assert_eq!((first.name.as_str(), &first.origin), ("lru", &PolicyOrigin::BuiltIn("lru".into())));
    assert_eq!((first.digest, first.options), (sha256(embedded::policy("lru").unwrap()), vec![]));
    assert_eq!((first.swaps, first.previous, first.swap, first.last_fault), (0, None, None, None));
    asked.ask_often(20).await;
    assert!(asked.cache.policy().calls > 20 && !asked.cache.policy().time.is_zero());

    let before = SystemTime::now();
    let answer = asked.cache.swap_policy(choice(components::NAMES_TWICE, &[("after", "7")])).await.unwrap();
    let status = asked.cache.policy();
    assert_eq!(answer, status);
    let PolicyStatus { name, version, doc, origin, digest, options, since, calls, time, .. } = status;
    assert_eq!((name.as_str(), version.as_str()), ("names-twice", "0.1.0"));
    assert_eq!((doc.as_str(), origin), ("LRU until it is triggered.", PolicyOrigin::Upload));
    assert_eq!(digest, sha256(components::NAMES_TWICE));
    assert_eq!(options, [("after".into(), "7".into()), ("trial".into(), "behave".into())]);
    assert!(since >= before && since <= SystemTime::now());
    assert_eq!((calls, time.as_nanos(), status.rejected_ids), (0, 0, 0), "a new policy starts with its own counts");
    assert!(status.memory_bytes >= 1 << 16, "{}", status.memory_bytes);
    assert_eq!((status.swaps, status.previous), (1, Some(PolicySpec::default())));
    asked.ask_lru(30).await;
    let used = asked.cache.policy();
    assert!(used.calls > 20 && used.rejected_ids > 0 && !used.time.is_zero(), "{used:?}");
    assert_eq!(asked.cache.status().await.unwrap().policy, used);
}

#[tokio::test]
async fn rollback_restores_the_previous_policy_with_its_options() {
    let asked = Asked::open(|builder| builder.policy(policy(components::REFUSES)).policy_option("after", "1000000")).await;
    assert!(matches!(asked.cache.rollback_policy().await, Err(SwapError::NothingBefore)));
    let cache = &asked.cache;
    cache.swap_policy(choice(components::NAMES_TWICE, &[("after", "7")])).await.unwrap();
    let back = cache.rollback_policy().await.unwrap();
    assert_eq!((back.name.as_str(), back.swaps), ("refuses", 2));
    assert_eq!(back.options, [("after".into(), "1000000".into()), ("trial".into(), "behave".into())]);
    let forth = cache.rollback_policy().await.unwrap();
    assert_eq!((forth.name.as_str(), forth.swaps), ("names-twice", 3));
    assert_eq!(forth.options[0], ("after".into(), "7".into()));
    assert_eq!(cache.policy_choice().options, [("after".to_string(), "7".to_string())]);
    assert_eq!(cache.rollback_policy().await.unwrap().name, "refuses");
}

#[tokio::test]
async fn rollback_after_a_policy_was_disabled_restores_its_predecessor() {
    let mut asked = Asked::open(|builder| builder.policy(policy(components::NAMES_TOO_FEW))).await;
    asked.cache.swap_policy(policy(components::TRAPS)).await.unwrap();
    asked.ask_lru(20).await;
    assert_eq!((asked.cache.policy().name.as_str(), asked.cache.policy().fallbacks), ("lru", 1));
    let status = asked.cache.rollback_policy().await.unwrap();
    assert_eq!((status.name.as_str(), status.fallbacks), ("names-too-few", 1));
    assert_eq!(status.last_fault.unwrap().policy, "traps", "the fault is still reported");
    asked.ask_lru(20).await;
}

#[tokio::test]
async fn a_refused_swap_changes_nothing() {
    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(20).await;
    asked.cache.swap_policy(policy(components::NAMES_TOO_FEW)).await.unwrap();
    asked.ask_lru(20).await;
    let before = asked.cache.policy();
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("window", "1")], "refuses has no option \"window\"; valid options: after, trial"),
        (&[("after", "-1")], "after is \"-1\"; it has to be a number from 0 to 1000000000"),
        (&[("after", "1"), ("after", "1")], "the option \"after\" is given twice"),
    ];
    for (options, why) in cases {
        let error = asked.cache.swap_policy(choice(components::REFUSES, options)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the policy cannot be used: {why}"));
        assert_eq!(asked.cache.policy(), before);
    }
    asked.ask_lru(20).await;
    assert_eq!(asked.cache.rollback_policy().await.unwrap().name, "lru", "the previous policy is still available");
}

#[tokio::test]
async fn compile_error_names_the_kind_of_a_file_that_is_not_a_policy() {
    let compile = |component: &[u8]| ENGINE.compile_policy(PolicyOrigin::Upload, component).map(drop).unwrap_err();
    assert!(matches!(compile(b"#!/bin/sh"), ComponentError::NotWasm(_)));
    assert!(matches!(compile(b""), ComponentError::NotWasm(_)));
    let (module, component) = (b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0");
    assert!(matches!(compile(module), ComponentError::CoreModule(_)), "{}", compile(module));
    assert!(matches!(compile(component), ComponentError::Unfit { .. }), "{}", compile(component));
    assert!(matches!(compile(embedded::CACHE), ComponentError::Unfit { .. }), "{}", compile(embedded::CACHE));
    let cut = &components::TRAPS[..components::TRAPS.len() / 2];
    assert!(matches!(compile(cut), ComponentError::Unfit { .. }), "{}", compile(cut));
}

#[tokio::test]
async fn policy_compiled_by_another_engine_is_refused() {
    let mut asked = Asked::open(|builder| builder).await;
    let other = Engine::new().unwrap();
    let foreign = other.compile_policy(PolicyOrigin::Upload, components::NAMES_TOO_FEW).unwrap();
    let error = asked.cache.swap_policy(foreign.clone()).await.unwrap_err();
    assert!(error.to_string().contains("it was compiled by another engine"), "{error}");
    let opened = CacheRig::create().builder().policy(foreign).open().await;
    assert!(opened.map(drop).unwrap_err().to_string().contains("it was compiled by another engine"));
    assert_eq!(asked.cache.swap_policy(built_in("lru")).await.unwrap().swaps, 1, "the failed swap does not block others");
    asked.ask_lru(20).await;
}

#[tokio::test]
async fn policy_of_an_empty_cache_without_a_memory_tier_can_be_swapped() {
    let asked = Asked::open(|builder| builder.max_memory_items(0)).await;
    for name in embedded::policy_names() {
        assert_eq!(asked.cache.swap_policy(built_in(name)).await.unwrap().name, name);
    }
    assert_eq!(entries(&asked.cache).await.len(), 0);
}

#[tokio::test]
async fn buffered_hits_count_for_the_new_policy() {
    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(40).await;
    let at_hand = resident(&asked.cache).await;
    // These hits are served without the component, which is notified of them later.
    for url in at_hand.iter().rev() {
        asked.cache.get(url).await.unwrap().unwrap();
    }
    asked.cache.swap_policy(built_in("lru")).await.unwrap();
    let used: Vec<String> = order(&asked.cache).await;
    assert!(used.ends_with(&at_hand.iter().rev().cloned().collect::<Vec<_>>()), "{used:?}");
    assert_eq!(at_hand.len(), ITEMS);
    evicts_by_use(&asked.cache).await;
}
