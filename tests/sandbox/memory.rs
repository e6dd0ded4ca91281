//! The memory tier: its limits on items and bytes, and entries that are too large for it.

use media_cache::Source;
use media_cache_test_support::cache_directory::{BOTH, files_exist};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{order, resident, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn entry_beyond_the_item_limit_evicts_one_resident_from_memory() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(3)).await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    let full = stats(&cache).await;
    assert_eq!((full.resident_entries, full.max_memory_items, full.memory_evictions), (3, 3, 0));
    fill(&cache, &["test:d"]).await;
    assert_eq!(resident(&cache).await, ["test:b", "test:c", "test:d"]);
    assert_eq!(order(&cache).await.len(), 4, "all are still on disk");
    let stats = stats(&cache).await;
    assert_eq!((stats.resident_entries, stats.memory_evictions, stats.evictions), (3, 1, 0));
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
}

#[tokio::test]
async fn recently_used_entries_stay_resident() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(3)).await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    cache.get("test:a").await.unwrap().unwrap();
    cache.put("test:b", "others", "text/plain", "b.txt").await.unwrap();
    fill(&cache, &["test:d"]).await;
    assert_eq!(resident(&cache).await, ["test:a", "test:b", "test:d"]);
}

#[tokio::test]
async fn entry_read_from_disk_becomes_resident_again() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(2).max_open_files(0)).await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    let media = cache.get("test:a").await.unwrap().unwrap();
    assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Disk));
    assert_eq!(resident(&cache).await, ["test:c", "test:a"]);
    assert_eq!(cache.get("test:a").await.unwrap().unwrap().source, Source::Memory);
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.disk_hits, stats.memory_evictions), (2, 1, 2));
}

#[tokio::test]
async fn memory_tier_of_zero_items_has_no_residents_and_hits_come_from_disk() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    for _ in 0..3 {
        assert_eq!(cache.get("test:a").await.unwrap().unwrap().source, Source::Disk);
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.resident_entries, stats.memory_bytes, stats.memory_evictions), (0, 0, 0));
    assert_eq!((stats.hits, stats.disk_hits), (3, 3));
}

#[tokio::test]
async fn memory_tier_limit_is_exact_to_the_byte() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_bytes(8000)).await;
    let urls: Vec<String> = (0..9).map(|number| format!("test:{number}")).collect();
    for url in &urls[..8] {
        rig.origin.serves_bytes(url, noise(1, 1000));
        fill(&cache, &[url]).await;
    }
    let full = stats(&cache).await;
    assert_eq!((full.memory_bytes, full.resident_entries, full.memory_evictions), (8000, 8, 0));
    rig.origin.serves_bytes(&urls[8], noise(1, 1));
    fill(&cache, &[&urls[8]]).await;
    assert_eq!(resident(&cache).await, urls[1..]);
    let over = stats(&cache).await;
    assert_eq!((over.memory_bytes, over.memory_evictions, over.entries), (7001, 1, 9));
}

#[tokio::test]
async fn entry_over_an_eighth_of_the_memory_limit_is_resident_as_an_open_file() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_bytes(8000)).await;
    let (small, large) = (noise(1, 1000), noise(2, 1001));
    rig.origin.serves_bytes("test:small", small.clone());
    rig.origin.serves_bytes("test:large", large.clone());
    fill(&cache, &["test:small", "test:large"]).await;
    let stats_before = stats(&cache).await;
    assert_eq!((stats_before.resident_entries, stats_before.memory_bytes), (1, 1000), "the larger entry is an open file");
    assert_eq!(stats_before.open_files, 2);
    let stopped = rig.clock.stop();
    for _ in 0..3 {
        let media = soon(cache.get("test:large")).await.unwrap().unwrap();
        assert!(media.body.in_memory().is_none());
        assert_eq!((body(&media).await, media.source), (large.clone(), Source::Disk), "served without the component");
    }
    drop(stopped);
    let media = cache.get("test:small").await.unwrap().unwrap();
    assert_eq!(media.body.in_memory().map(|bytes| bytes.to_vec()), Some(small));
    assert_eq!(stats(&cache).await.disk_hits, 3);
}

#[tokio::test]
async fn after_1000_emoji_hits_and_one_50_mb_video_all_64_residents_are_still_emoji() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let emoji: Vec<String> = (0..64).map(|number| format!("test:emoji-{number}")).collect();
    for hit in 0..1064 {
        cache.get_or_download(&emoji[hit % 64]).await.unwrap();
    }
    rig.origin.serves_bytes("test:video", noise(1, 50 << 20));
    for _ in 0..3 {
        assert_eq!(cache.get_or_download("test:video").await.unwrap().body.len(), 50 << 20);
    }
    let mut expected = emoji;
    expected.sort();
    let mut residents = resident(&cache).await;
    residents.sort();
    assert_eq!(residents, expected);
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.disk_hits, stats.memory_evictions), (1002, 2, 0));
}

#[tokio::test]
async fn entry_too_large_for_memory_displaces_no_resident() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(1).max_memory_bytes(8000)).await;
    rig.origin.serves_bytes("test:large", noise(2, 1001));
    fill(&cache, &["test:small", "test:large"]).await;
    for _ in 0..200 {
        assert_eq!(cache.get("test:large").await.unwrap().unwrap().source, Source::Disk);
    }
    assert_eq!(resident(&cache).await, ["test:small"]);
}

#[tokio::test]
async fn entry_evicted_or_removed_from_disk_is_released_from_memory() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    cache.remove("test:b").await.unwrap();
    let stats = stats(&cache).await;
    assert_eq!((stats.resident_entries, stats.memory_bytes), (1, text("test:c").len() as u64));
    assert_eq!(stats.memory_evictions, 0, "this does not count as an eviction from memory");
    assert_eq!(cache.status().await.unwrap().blob_handles, 2, "one for the bytes, one for the file");
}
