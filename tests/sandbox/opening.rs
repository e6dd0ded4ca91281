//! Opening: ownership of the directory, and the errors if it cannot be used.

use std::fs;

use media_cache::{Engine, LockError, MediaCache, OpenError, embedded};
use media_cache_test_support::cache_directory::disk_usage;
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, ENGINE, SMALL, bytes, entry_budget};
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::old_contract::of_version_0_1;
use media_cache_test_support::scripted_origin::text;

fn error(opened: Result<MediaCache, OpenError>) -> OpenError {
    match opened {
        Ok(_) => panic!("the cache opened, but should have failed to"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_directory_is_used_by_one_cache_at_a_time() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let refused = error(rig.builder().open().await);
    assert!(matches!(refused, OpenError::Lock(LockError::InUse { .. })), "{refused}");
    fill(&cache, &["test:a"]).await;
    cache.close().await.unwrap();
    let cache = rig.open().await;
    assert_eq!(order(&cache).await, ["test:a"]);
}

#[tokio::test]
async fn open_creates_the_directory_and_its_parents() {
    let rig = CacheRig::create();
    let deep = rig.root().join("a/b/c");
    let cache = rig.open_with(|builder| builder.directory(&deep)).await;
    fill(&cache, &["test:a"]).await;
    assert_eq!(cache.directory(), deep);
    assert_eq!(disk_usage(&deep), (SMALL, 2));
}

#[tokio::test]
async fn open_fails_and_names_the_file_in_place_of_the_directory() {
    let rig = CacheRig::create();
    fs::write(rig.directory(), "a file").unwrap();
    let refused = error(rig.builder().open().await);
    assert!(matches!(refused, OpenError::Lock(LockError::Unusable { .. })), "{refused}");
    assert!(refused.to_string().contains(rig.directory().to_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn open_fails_and_names_an_unknown_policy_option() {
    let rig = CacheRig::create();
    let refused = error(rig.builder().policy_option("colour", "red").open().await);
    assert!(matches!(refused, OpenError::Policy { .. }), "{refused}");
    assert!(refused.to_string().contains("colour"), "{refused}");
}

#[tokio::test]
async fn failed_open_releases_the_directory() {
    let rig = CacheRig::create();
    for _ in 0..10 {
        let refused = error(rig.builder().policy_option("colour", "red").open().await);
        assert!(matches!(refused, OpenError::Policy { .. }), "{refused}");
    }
    fill(&rig.open().await, &["test:a"]).await;
}

#[tokio::test]
async fn caches_in_one_process_are_independent() {
    let (one, other) = (CacheRig::create(), CacheRig::create());
    let first = one.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    let second = other.open().await;
    fill(&first, &["test:a", "test:b", "test:c"]).await;
    fill(&second, &["test:a"]).await;
    assert_eq!((order(&first).await, order(&second).await), (vec!["test:b".into(), "test:c".into()], vec!["test:a".to_owned()]));
    assert_eq!((one.origin.requests("test:a"), other.origin.requests("test:a")), (1, 1));
    first.close().await.unwrap();
    assert_eq!(body(&second.get("test:a").await.unwrap().unwrap()).await, text("test:a"), "the other cache still works");
    let stats = stats(&second).await;
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.max_disk_bytes), (1, 1, 1, 500 << 20));
}

#[tokio::test]
async fn limits_that_are_not_set_have_the_defaults_of_the_contract() {
    let rig = CacheRig::create();
    let defaults = stats(&rig.open().await).await;
    assert_eq!((defaults.max_disk_bytes, defaults.max_memory_items, defaults.max_memory_bytes), (500 << 20, 64, 256 << 20));
    use media_cache::defaults as library;
    let reserved = library::reserved_by_default(defaults.max_disk_bytes);
    assert_eq!((reserved, defaults.max_entry_bytes), (defaults.max_disk_bytes / 8, defaults.max_disk_bytes - reserved));
    let library = (library::MAX_DISK_BYTES.get(), library::MAX_MEMORY_ITEMS, library::MAX_MEMORY_BYTES);
    assert_eq!(library, (defaults.max_disk_bytes, defaults.max_memory_items, defaults.max_memory_bytes));
    let rig = CacheRig::create();
    let set = |builder: media_cache::Builder| builder.max_disk_bytes(bytes(7)).max_memory_items(8).max_memory_bytes(9);
    let set = stats(&rig.open_with(set).await).await;
    assert_eq!((set.max_disk_bytes, set.max_memory_items, set.max_memory_bytes), (7, 8, 9));
}

#[test]
fn a_cache_component_of_another_contract_version_is_rejected_with_both_versions_named() {
    let rig = CacheRig::create();
    let component = rig.root().join("old.wasm");
    fs::write(&component, of_version_0_1(embedded::CACHE)).unwrap();
    let rejected = ENGINE.cache_from_file(&component).err().unwrap().to_string();
    for expected in ["old.wasm", "@0.1.0", "this host accepts media-cache:policy 0.2 and media-cache:cache 0.2"] {
        assert!(rejected.contains(expected), "{rejected}");
    }
}

#[tokio::test]
async fn cache_and_policy_load_only_from_components_with_the_right_world() {
    let rig = CacheRig::create();
    let engine = Engine::new().unwrap();
    let (component, policy) = (rig.root().join("cache.wasm"), rig.root().join("policy.wasm"));
    fs::write(&component, embedded::CACHE).unwrap();
    fs::write(&policy, embedded::policy(embedded::LRU).unwrap()).unwrap();
    let refused = engine.cache_from_file(&policy).err().unwrap().to_string();
    assert!(refused.contains("policy.wasm") && refused.contains("`media-cache`"), "{refused}");
    let refused = engine.policy_from_file(&component).err().unwrap().to_string();
    assert!(refused.contains("cache.wasm") && refused.contains("`eviction-policy`"), "{refused}");
    assert!(engine.cache_from_file(&rig.root().join("nothing.wasm")).err().unwrap().to_string().contains("nothing.wasm"));

    let component = engine.cache_from_file(&component).unwrap();
    let policy = engine.policy_from_file(&policy).unwrap();
    let cache = rig.open_with(|builder| builder.engine(engine).component(component).policy(policy)).await;
    fill(&cache, &["test:a"]).await;
    let policy = cache.status().await.unwrap().policy;
    assert_eq!((policy.name.as_str(), policy.fallbacks), ("lru", 0));
    assert!(policy.origin.to_string().ends_with("policy.wasm") && policy.calls > 0);
}
