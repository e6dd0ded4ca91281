//! A hit is counted once, and makes its entry the most recently used one.

use std::pin::pin;
use std::time::{Duration, UNIX_EPOCH};

use futures::FutureExt;
use media_cache::Source;
use media_cache_test_support::cache_directory::{NEITHER, files_exist};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, order, stats};
use media_cache_test_support::scripted_origin::{fetched, text};

#[tokio::test]
async fn hit_returns_the_bytes_type_and_name_of_the_download_and_when_it_was_stored() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves("test:a", fetched("bytes", "image/webp", "überraschung 🎁.webp"));
    let fresh = cache.get_or_download("test:a").await.unwrap();
    rig.clock.advance(Duration::from_secs(10));
    for found in [cache.get("test:a").await.unwrap().unwrap(), cache.get_or_download("test:a").await.unwrap()] {
        assert_eq!(body(&found).await, b"bytes");
        assert_eq!((found.mimetype(), found.filename()), ("image/webp", "überraschung 🎁.webp"));
        assert_eq!((found.stored_at(), found.source), (fresh.stored_at(), Source::Memory));
    }
    assert_eq!(fresh.stored_at(), rig.clock.wall() - Duration::from_secs(10));
    assert_eq!(rig.origin.requests("test:a"), 1);
}

#[tokio::test]
async fn urls_that_differ_in_one_character_have_separate_entries() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a?x=1", "test:a?x=2", "test:A?x=1", "test:a?x=1#"]).await;
    assert_eq!(stats(&cache).await.downloads, 4);
    assert!(cache.get("test:a").await.unwrap().is_none());
}

#[tokio::test]
async fn get_put_and_get_or_download_each_count_as_a_use_for_eviction() {
    // With 0 items in memory, every hit is a call to the component. With 64, the host serves hits without it.
    for items in [0, 64] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| entry_budget(builder, 4 * SMALL).max_memory_items(items)).await;
        fill(&cache, &["test:a", "test:b", "test:c", "test:d"]).await;
        cache.get("test:a").await.unwrap().unwrap();
        cache.put("test:c", "others", "text/plain", "c.txt").await.unwrap();
        cache.get_or_download("test:b").await.unwrap();
        assert_eq!(order(&cache).await, ["test:d", "test:a", "test:c", "test:b"]);
        for (url, left) in [
            ("test:1", ["test:a", "test:c", "test:b", "test:1"]),
            ("test:2", ["test:c", "test:b", "test:1", "test:2"]),
            ("test:3", ["test:b", "test:1", "test:2", "test:3"]),
        ] {
            fill(&cache, &[url]).await;
            assert_eq!(order(&cache).await, left, "with {items} items");
        }
        assert_eq!(files_exist(&rig.directory(), "test:d"), NEITHER);
        assert_eq!(stats(&cache).await.evictions, 3);
    }
}

#[tokio::test]
async fn miss_does_not_change_the_order_of_use() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b"]).await;
    assert!(cache.get("test:c").await.unwrap().is_none());
    assert!(!cache.remove("test:c").await.unwrap());
    assert_eq!(order(&cache).await, ["test:a", "test:b"]);
}

#[tokio::test]
async fn hit_on_a_resident_does_not_wait_for_the_component_and_is_counted() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    {
        let stopped = rig.clock.stop();
        let mut call = pin!(cache.get_or_download("test:c"));
        assert!(call.as_mut().now_or_never().is_none());
        stopped.wait_until_blocked();
        for _ in 0..50 {
            let media = cache.get("test:a").now_or_never().expect("this needs no call to the component").unwrap().unwrap();
            assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Memory));
            cache.get_or_download("test:a").now_or_never().expect("this needs no call to the component").unwrap();
        }
        drop(stopped);
        call.await.unwrap();
    }
    // `test:a` was hit while `test:c`, which needs space, was being downloaded, so `test:b` is evicted.
    assert_eq!(order(&cache).await, ["test:a", "test:c"]);
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.disk_hits, stats.misses), (100, 0, 3));
    assert_eq!(entries(&cache).await[0].hits, 100);
}

#[tokio::test]
async fn hits_during_a_download_count_before_its_victims_are_chosen() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    let latch = rig.origin.hold("test:c");
    let hit = async {
        latch.reached().await;
        cache.get("test:a").await.unwrap().unwrap();
        latch.open();
    };
    let (answer, ()) = tokio::join!(cache.get_or_download("test:c"), hit);
    answer.unwrap();
    assert_eq!(order(&cache).await, ["test:a", "test:c"]);
}

#[tokio::test]
async fn every_request_counts_as_one_hit_or_one_miss() {
    for items in [0, 2, 64] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| builder.max_memory_items(items)).await;
        let (mut hits, mut misses) = (0, 0);
        for round in 0..200 {
            let url = format!("test:{}", round * 5 % 13);
            if round % 3 == 0 {
                let known = rig.origin.requests(&url) > 0;
                cache.get_or_download(&url).await.unwrap();
                hits += u64::from(known);
                misses += u64::from(!known);
            } else {
                match cache.get(&url).await.unwrap() {
                    Some(_) => hits += 1,
                    None => misses += 1,
                }
            }
        }
        let stats = stats(&cache).await;
        assert_eq!((stats.hits, stats.misses), (hits, misses), "with {items} items");
        assert_eq!((stats.hits + stats.misses, stats.downloads), (200, 13));
        assert_eq!(entries(&cache).await.iter().map(|entry| entry.hits).sum::<u64>(), stats.hits);
    }
}

#[tokio::test]
async fn entry_records_when_it_was_stored_and_last_accessed() {
    for items in [0, 64] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| builder.max_memory_items(items)).await;
        let stored = rig.clock.wall();
        fill(&cache, &["test:a"]).await;
        rig.clock.advance(Duration::from_millis(1500));
        cache.get("test:a").await.unwrap().unwrap();
        let entry = &entries(&cache).await[0];
        let time = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        assert_eq!((time(entry.stored_at), time(entry.accessed_at)), (stored, stored + Duration::from_millis(1500)));
        assert_eq!((entry.hits, entry.size), (1, text("test:a").len() as u64));
    }
}

#[tokio::test]
async fn buffered_hits_on_a_removed_entry_are_still_counted() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    for _ in 0..3 {
        cache.get("test:a").await.unwrap().unwrap();
    }
    assert!(cache.remove("test:a").await.unwrap());
    assert!(cache.get("test:a").await.unwrap().is_none(), "the entry is no longer resident");
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.misses, stats.entries), (3, 2, 0));
    assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
}

#[tokio::test]
async fn returned_media_stays_readable_after_its_entry_is_removed() {
    let rig = CacheRig::create();
    // Every entry is larger than an eighth of 0 bytes, so it is kept as an open file.
    let cache = rig.open_with(|builder| builder.max_memory_bytes(0)).await;
    fill(&cache, &["test:a"]).await;
    let media = cache.get("test:a").await.unwrap().unwrap();
    assert!(media.body.in_memory().is_none());
    cache.remove("test:a").await.unwrap();
    assert_eq!(body(&media).await, text("test:a"));
}

#[tokio::test]
async fn concurrent_reads_of_one_file_are_all_disk_hits() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    let answers = futures::future::join_all((0..50).map(|_| cache.get("test:a"))).await;
    for answer in answers {
        let media = answer.unwrap().unwrap();
        assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Disk));
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.disk_hits, stats.misses), (50, 50, 1));
}

#[tokio::test]
async fn paged_listing_returns_every_entry_once() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let urls: Vec<String> = (0..23).map(|number| format!("test:{number}")).collect();
    fill(&cache, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for limit in [0, 1, 7, 23, 100] {
        let (mut listed, mut next) = (Vec::new(), None);
        loop {
            let page = cache.entries(next, limit).await.unwrap();
            assert!(page.entries.len() <= limit.max(1) as usize);
            listed.extend(page.entries.into_iter().map(|entry| entry.url));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(listed, urls, "{limit} at a time");
    }
}
