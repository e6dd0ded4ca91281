//! The disk budget is exact at its boundaries.

use media_cache::StoreError;
use media_cache_test_support::cache_directory::{BOTH, NEITHER, disk_usage, files_exist, sidecar_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, order, stats};
use media_cache_test_support::random::noise;

#[tokio::test]
async fn entries_that_fill_the_budget_exactly_evict_nothing() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    rig.origin.serves_bytes("test:c", noise(1, 4096));
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    let full = stats(&cache).await;
    assert_eq!((full.disk_bytes, full.max_entry_bytes, full.evictions), (3 * SMALL, 3 * SMALL, 0));
    assert_eq!(disk_usage(&rig.directory()), (3 * SMALL, 6));
}

#[tokio::test]
async fn one_byte_over_the_budget_evicts_only_the_least_recently_used_entry() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    rig.origin.serves_bytes("test:c", noise(1, 4097));
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    assert_eq!(order(&cache).await, ["test:b", "test:c"]);
    assert_eq!((files_exist(&rig.directory(), "test:a"), files_exist(&rig.directory(), "test:b")), (NEITHER, BOTH));
    let stats = stats(&cache).await;
    assert_eq!((stats.evictions, stats.disk_bytes), (1, 2 * SMALL + 4096));
    assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (0, 0), "LRU names valid victims");
    assert_eq!(disk_usage(&rig.directory()), (2 * SMALL + 4096, 4));
}

#[tokio::test]
async fn budget_one_byte_short_of_three_entries_keeps_two() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL - 1)).await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    assert_eq!(order(&cache).await, ["test:b", "test:c"]);
}

#[tokio::test]
async fn disk_usage_counts_whole_blocks_of_both_files() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let mut expected = 0;
    for (size, blocks) in [(0, 0), (1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 3), (100_000, 25)] {
        let url = format!("test:{size}");
        cache.put(&url, noise(1, size), "image/png", "a.png").await.unwrap();
        expected += (blocks + 1) * 4096;
        let entry = entries(&cache).await.pop().unwrap();
        assert_eq!((entry.disk_size, entry.size), ((blocks + 1) * 4096, size as u64));
        assert_eq!(stats(&cache).await.disk_bytes, expected);
        assert_eq!(disk_usage(&rig.directory()).0, expected);
    }
    let long = format!("test:{}", "u".repeat(5000));
    cache.put(&long, "short", "text/plain", "a.txt").await.unwrap();
    assert!(std::fs::metadata(sidecar_file(&rig.directory(), &long)).unwrap().len() > 4096);
    assert_eq!(stats(&cache).await.disk_bytes, expected + 3 * 4096, "its sidecar takes two blocks");
    assert_eq!(disk_usage(&rig.directory()).0, expected + 3 * 4096);
}

#[tokio::test]
async fn large_entry_evicts_only_as_many_entries_as_it_needs() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 5 * SMALL)).await;
    fill(&cache, &["test:a", "test:b", "test:c", "test:d", "test:e"]).await;
    rig.origin.serves_bytes("test:f", noise(1, 20_000));
    fill(&cache, &["test:f"]).await;
    assert_eq!(order(&cache).await, ["test:d", "test:e", "test:f"], "it needs six of the ten blocks, so three entries are evicted");
    assert_eq!(stats(&cache).await.evictions, 3);
}

#[tokio::test]
async fn media_larger_than_the_budget_is_returned_but_not_stored() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    let large = noise(1, 5 * 4096 + 1);
    rig.origin.serves_bytes("test:large", large.clone());
    for asked in 1..3 {
        assert_eq!(body(&cache.get_or_download("test:large").await.unwrap()).await, large);
        assert_eq!(rig.origin.requests("test:large"), asked);
    }
    let outcome = cache.put("test:large", large.clone(), "image/png", "a.png").await.unwrap();
    assert!(!outcome.known);
    assert!(matches!(outcome.not_stored, Some(StoreError::Oversize(budget)) if budget == 3 * SMALL));
    assert_eq!(body(&outcome.media).await, large);
    let stats = stats(&cache).await;
    assert_eq!((stats.oversize, stats.stored, stats.evictions, stats.store_failures), (3, 2, 0, 0));
    assert_eq!(order(&cache).await, ["test:a", "test:b"]);
    assert_eq!(disk_usage(&rig.directory()), (2 * SMALL, 4));
}

#[tokio::test]
async fn media_of_exactly_the_budget_is_stored() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    rig.origin.serves_bytes("test:large", noise(1, 5 * 4096));
    fill(&cache, &["test:large"]).await;
    assert_eq!(order(&cache).await, ["test:large"]);
    let stats = stats(&cache).await;
    assert_eq!((stats.oversize, stats.disk_bytes), (0, 3 * SMALL));
}

#[tokio::test]
async fn nothing_is_stored_if_the_budget_is_too_small_for_any_entry() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 1)).await;
    fill(&cache, &["test:a", "test:a"]).await;
    assert_eq!((stats(&cache).await.oversize, rig.origin.requests("test:a")), (2, 2));
    assert_eq!(disk_usage(&rig.directory()), (0, 0));
}

#[tokio::test]
async fn concurrent_downloads_stay_within_the_budget() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    let urls: Vec<String> = (0..40).map(|number| format!("test:{number}")).collect();
    for answer in futures::future::join_all(urls.iter().map(|url| cache.get_or_download(url))).await {
        answer.unwrap();
    }
    let stats = stats(&cache).await;
    let (used, files) = disk_usage(&rig.directory());
    assert!(used <= 3 * SMALL, "{used}");
    assert_eq!((stats.disk_bytes, 2 * stats.entries), (used, files as u64));
    assert_eq!(
        (stats.stored, stats.store_failures),
        (40, 0),
        "a store without enough space waits for the entries that are being written"
    );
    assert_eq!(stats.policy_shortfalls, 0);
    assert_eq!(stats.stored - stats.evictions, stats.entries);
}
