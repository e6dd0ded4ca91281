//! Hostile policies.

use media_cache::policy::{PolicyOrigin, PolicySpec, PolicyStatus, SwapError};
use media_cache::{ComponentError, OpenError, StoreError};
use media_cache_test_components as components;
use media_cache_test_support::cache_rig::{CacheRig, ENGINE};
use media_cache_test_support::cache_state::order;

use crate::requests::{Asked, ENTRIES, choice, policy, small};

/// Lets a policy misbehave from the start, after a while, and after being swapped in. Plain LRU must take over with the correct order.
async fn falls_back(component: &[u8], name: &str, why: &str) {
    for after in ["0", "1", "25"] {
        let mut asked = Asked::open(|builder| builder.policy(policy(component)).policy_option("after", after)).await;
        asked.ask_lru(60).await;
        assert_disabled(&asked.cache.policy(), name, why);
        assert_eq!(asked.cache.policy().previous, None);

        let mut asked = Asked::open(|builder| builder).await;
        asked.ask_lru(40).await;
        let status = asked.cache.swap_policy(choice(component, &[("after", after)])).await.unwrap();
        assert_eq!((status.name.as_str(), status.fallbacks), (name, 0));
        asked.ask_lru(60).await;
        assert_disabled(&asked.cache.policy(), name, why);
        assert_eq!(asked.cache.policy().previous, Some(PolicySpec::default()));
        asked.cache.close().await.unwrap();
    }
}

/// Asserts that the policy was disabled once, for this reason, and that LRU has made no mistake since.
#[track_caller]
fn assert_disabled(status: &PolicyStatus, name: &str, why: &str) {
    let fault = status.last_fault.as_ref().unwrap_or_else(|| panic!("the policy was not disabled: {status:#?}"));
    assert!(fault.why.contains(why), "{}", fault.why);
    assert!(fault.why.len() < 1000 && !fault.why.contains(char::is_control), "{}", fault.why);
    assert_eq!((fault.policy.as_str(), status.fallbacks), (name, 1));
    assert_eq!((status.name.as_str(), &status.origin), ("lru", &PolicyOrigin::BuiltIn("lru".into())));
    assert_eq!((&status.options, status.rejected_ids), (&vec![], 0));
}

/// Asserts that a swap to this policy is refused for this reason, and that nothing changes.
async fn is_refused(component: &[u8], options: &[(&str, &str)], why: &str) {
    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(15).await;
    let before = asked.cache.policy();
    let error = asked.cache.swap_policy(choice(component, options)).await.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.to_string().len() < 1000, "{} bytes", error.to_string().len());
    assert!(!error.to_string().contains(char::is_control), "{error}");
    let after = asked.cache.policy();
    assert_eq!((&after.name, after.swaps, after.fallbacks, &after.swap), (&before.name, 0, 0, &None));
    assert_eq!((after.since, after.last_fault), (before.since, None));
    asked.ask_lru(15).await;
    assert!(matches!(asked.cache.rollback_policy().await, Err(SwapError::NothingBefore)));
}

const IN_A_TRIAL: &[(&str, &str)] = &[("trial", "misbehave")];

#[tokio::test]
async fn policy_that_traps_is_disabled() {
    falls_back(components::TRAPS, "traps", "it trapped: wasm trap: wasm `unreachable` instruction executed").await;
    is_refused(components::TRAPS, IN_A_TRIAL, "the policy cannot be used: it trapped").await;
}

#[tokio::test]
async fn policy_that_panics_is_disabled() {
    falls_back(components::PANICS, "panics", "it trapped: wasm trap: wasm `unreachable` instruction executed").await;
    is_refused(components::PANICS, IN_A_TRIAL, "it trapped").await;
}

#[tokio::test]
async fn policy_that_loops_forever_is_disabled() {
    falls_back(components::LOOPS, "loops", "a call took more than 50 ms of processor time").await;
    is_refused(components::LOOPS, IN_A_TRIAL, "a call took more than 50 ms of processor time").await;
}

#[tokio::test]
async fn policy_that_loops_while_freeing_its_result_is_disabled() {
    falls_back(components::LOOPS_IN_FREE, "loops-in-free", "a call took more than 50 ms of processor time").await;
    is_refused(components::LOOPS_IN_FREE, IN_A_TRIAL, "a call took more than 50 ms of processor time").await;
}

#[tokio::test]
async fn policy_that_overflows_its_stack_is_disabled() {
    falls_back(components::RECURSES, "recurses", "it trapped: wasm trap: call stack exhausted").await;
    is_refused(components::RECURSES, IN_A_TRIAL, "call stack exhausted").await;
}

#[tokio::test]
async fn policy_that_exceeds_its_memory_limit_is_disabled() {
    falls_back(components::ALLOCATES, "allocates", "it needed more than its limit of 32 MiB of memory").await;
    is_refused(components::ALLOCATES, IN_A_TRIAL, "it needed more than its limit of 32 MiB of memory").await;
}

#[tokio::test]
async fn policy_that_exits_is_disabled() {
    falls_back(components::EXITS, "exits", "it trapped").await;
    is_refused(components::EXITS, IN_A_TRIAL, "it trapped").await;
}

#[tokio::test]
async fn policy_that_waits_is_disabled() {
    falls_back(components::WAITS, "waits", "it tried to wait, which a policy must not do").await;
    is_refused(components::WAITS, IN_A_TRIAL, "it tried to wait, which a policy must not do").await;
}

#[tokio::test]
async fn policy_that_leaks_handles_is_disabled() {
    falls_back(components::HOARDS_HANDLES, "hoards-handles", "it trapped: resource table has no free keys").await;
    is_refused(components::HOARDS_HANDLES, IN_A_TRIAL, "it trapped").await;
}

#[tokio::test]
async fn policy_that_names_millions_of_victims_is_disabled() {
    falls_back(components::NAMES_MILLIONS, "names-millions", "it named 2000000 victims although only ").await;
    is_refused(components::NAMES_MILLIONS, IN_A_TRIAL, "it named the victim").await;
}

#[tokio::test]
async fn policy_that_traps_on_a_hit_is_disabled() {
    falls_back(components::TRAPS_ON_A_HIT, "traps-on-a-hit", "it trapped").await;
    is_refused(components::TRAPS_ON_A_HIT, IN_A_TRIAL, "it trapped").await;
}

/// Lets a policy misbehave from the start and after being swapped in, and asserts that it is not disabled for it.
async fn stays<F: AsyncFn(&mut Asked)>(component: &[u8], name: &str, ask: F) {
    let mut asked = Asked::open(|builder| builder.policy(policy(component))).await;
    ask(&mut asked).await;
    let status = asked.cache.policy();
    assert_eq!((status.name.as_str(), status.fallbacks, status.last_fault), (name, 0, None));

    let mut asked = Asked::open(|builder| builder).await;
    asked.ask_lru(40).await;
    asked.cache.swap_policy(policy(component)).await.unwrap();
    ask(&mut asked).await;
    let status = asked.cache.policy();
    assert_eq!((status.name.as_str(), status.fallbacks, status.last_fault), (name, 0, None));
    asked.cache.close().await.unwrap();
}

#[tokio::test]
async fn unknown_victims_are_replaced_by_the_least_recently_used_entries() {
    let ask = async |asked: &mut Asked| {
        asked.ask_lru(60).await;
        let stats = asked.cache.status().await.unwrap().cache;
        let rejected = asked.cache.policy().rejected_ids;
        assert!(rejected > 20, "{rejected}");
        assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (rejected, rejected));
    };
    stays(components::NAMES_STRANGERS, "names-strangers", ask).await;
    is_refused(components::NAMES_STRANGERS, IN_A_TRIAL, "it named the victim 18446744073709551615, which is not tracked").await;
}

#[tokio::test]
async fn victims_named_twice_are_evicted_once() {
    let ask = async |asked: &mut Asked| {
        asked.ask_lru(60).await;
        let stats = asked.cache.status().await.unwrap().cache;
        let rejected = asked.cache.policy().rejected_ids;
        assert!(rejected > 20, "{rejected}");
        assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (rejected, 0));
    };
    stays(components::NAMES_TWICE, "names-twice", ask).await;
    is_refused(components::NAMES_TWICE, IN_A_TRIAL, "it named the victim 0, which is not tracked").await;
}

#[tokio::test]
async fn missing_victims_are_replaced_by_the_least_recently_used_entries() {
    let ask = async |asked: &mut Asked| {
        asked.ask_lru(60).await;
        let stats = asked.cache.status().await.unwrap().cache;
        assert!(stats.policy_shortfalls > 20, "{}", stats.policy_shortfalls);
        assert_eq!((stats.policy_rejected_ids, asked.cache.policy().rejected_ids), (0, 0));
    };
    stays(components::NAMES_TOO_FEW, "names-too-few", ask).await;
    is_refused(components::NAMES_TOO_FEW, IN_A_TRIAL, "it admitted an entry but freed fewer than the 8192 bytes required").await;
}

#[tokio::test]
async fn policy_that_evicts_everything_keeps_only_the_last_entry() {
    let ask = async |asked: &mut Asked| {
        asked.ask_often(60).await;
        let stats = asked.cache.status().await.unwrap().cache;
        assert_eq!((order(&asked.cache).await.len(), stats.resident_entries), (1, 1), "only the last entry is stored");
        assert_eq!(stats.stored - stats.evictions, 1);
    };
    stays(components::NAMES_EVERYTHING, "names-everything", ask).await;
}

#[tokio::test]
async fn policy_that_refuses_every_candidate_keeps_the_stored_entries() {
    let ask = async |asked: &mut Asked| {
        let before = order(&asked.cache).await.len();
        asked.ask_often(60).await;
        let stats = asked.cache.status().await.unwrap().cache;
        assert_eq!((order(&asked.cache).await.len(), stats.evictions > 0), (before, before > 0), "the stored entries remain");
        let outcome = asked.cache.put("test:new", "mine", "text/plain", "a.txt").await.unwrap();
        assert!(matches!(outcome.not_stored, Some(StoreError::Refused)), "{:?}", outcome.not_stored);
    };
    stays(components::REFUSES, "refuses", ask).await;
    is_refused(components::REFUSES, IN_A_TRIAL, "it keeps nothing").await;
}

#[tokio::test]
async fn policy_that_names_every_candidate_as_victim_stores_nothing_new() {
    let ask = async |asked: &mut Asked| {
        asked.ask_often(60).await;
        let outcome = asked.cache.put("test:new", "mine", "text/plain", "a.txt").await.unwrap();
        assert!(matches!(outcome.not_stored, Some(StoreError::Refused)), "{:?}", outcome.not_stored);
        assert_eq!(asked.cache.policy().rejected_ids, 0);
    };
    stays(components::NAMES_THE_CANDIDATE, "names-the-candidate", ask).await;
    is_refused(components::NAMES_THE_CANDIDATE, IN_A_TRIAL, "it keeps nothing").await;
}

#[tokio::test]
async fn policy_has_no_access_to_standard_streams_and_files() {
    let ask = async |asked: &mut Asked| asked.ask_lru(60).await;
    stays(components::PRINTS_AND_READS, "prints-and-reads", ask).await;
}

#[tokio::test]
async fn policy_that_faults_while_it_is_seeded_is_not_swapped_in() {
    let because = "the policy faulted while it was being seeded with the stored entries: ";
    is_refused(components::TRAPS_WHEN_SEEDED, &[], &format!("{because}it trapped")).await;
    is_refused(components::LOOPS_WHEN_SEEDED, &[], &format!("{because}a call took more than 50 ms")).await;
    is_refused(components::TRAPS_WHEN_SEEDED, IN_A_TRIAL, "the policy cannot be used: it trapped").await;
}

#[tokio::test]
async fn policy_that_faults_while_it_is_seeded_at_the_start_is_disabled() {
    let rig = CacheRig::create();
    let cache = rig.open_with(small).await;
    let urls: Vec<String> = (0..ENTRIES).map(|number| format!("test:{number}")).collect();
    for url in &urls {
        cache.get_or_download(url).await.unwrap();
    }
    cache.get(&urls[0]).await.unwrap();
    let mut expected = order(&cache).await;
    cache.close().await.unwrap();
    for (component, name) in
        [(components::TRAPS_WHEN_SEEDED, "traps-when-seeded"), (components::LOOPS_WHEN_SEEDED, "loops-when-seeded")]
    {
        let cache = rig.open_with(|builder| small(builder).policy(policy(component))).await;
        assert_disabled(&cache.policy(), name, "");
        assert_eq!(order(&cache).await, expected);
        cache.get_or_download(&format!("test:{name}")).await.unwrap();
        expected.remove(0);
        expected.push(format!("test:{name}"));
        assert_eq!(order(&cache).await, expected);
        cache.close().await.unwrap();
    }
}

#[tokio::test]
async fn policy_that_loops_while_dropping_its_state_is_disabled() {
    let mut asked = Asked::open(|builder| builder.policy(policy(components::LOOPS_WHEN_DROPPED))).await;
    asked.ask_lru(40).await;
    assert_disabled(&asked.cache.policy(), "loops-when-dropped", "a call took more than 50 ms of processor time");
}

#[tokio::test]
async fn policy_that_faults_while_it_is_set_up_is_refused() {
    let cases = [
        (components::LOOPS_AT_THE_START, "a call took more than 50 ms of processor time"),
        (components::TRAPS_IN_DESCRIBE, "it trapped: wasm trap: wasm `unreachable` instruction executed"),
        (components::DESCRIBES_ENDLESSLY, "it trapped: "),
        (components::HAS_A_LONG_NAME, "its description is invalid"),
        (components::LOOPS_IN_CREATE, "a call took more than 50 ms of processor time"),
        (components::COMPLAINS_ENDLESSLY, "no"),
    ];
    for (component, why) in cases {
        is_refused(component, &[], why).await;
        let opened = CacheRig::create().builder();
        let error = small(opened).policy(policy(component)).open().await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Policy { .. }), "{error}");
        assert!(error.to_string().starts_with("the uploaded policy cannot be used as the eviction policy: "), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().len() < 1000 && !error.to_string().contains(char::is_control), "{error}");
    }
}

#[tokio::test]
async fn policy_that_imports_sockets_is_not_compiled() {
    let error = ENGINE.compile_policy(PolicyOrigin::Upload, components::REACHES_OUT).map(drop).unwrap_err();
    assert!(matches!(&error, ComponentError::Reaches { import, .. } if import.starts_with("wasi:sockets/")), "{error}");
}
