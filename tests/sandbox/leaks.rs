//! A leaked handle would keep bytes in memory forever. After any work, there must be one handle per resident entry and open file, and no
//! more.

use std::fs;
use std::time::Duration;

use media_cache::FetchError;
use media_cache::MediaCache;
use media_cache_test_support::cache_directory::media_file;
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{stats, until};
use media_cache_test_support::random::{Random, noise};
use media_cache_test_support::scripted_origin::fetched;
use media_cache_test_support::soon::soon;

/// Concurrent requests of all kinds: hits, misses, evictions, failures, puts, removals, GIFs, missing files.
async fn mixed_requests(rig: &CacheRig, cache: &MediaCache, count: usize) {
    for number in 0..40 {
        let url = format!("test:{number}");
        match number % 8 {
            0 => rig.origin.fails(&url, FetchError::NotFound),
            1 => rig.origin.serves(&url, fetched(format!("GIF89a{number}"), "image/gif", "a.gif")),
            2 => rig.origin.serves(&url, fetched("GIF89a broken", "image/gif", "a.gif")),
            3 => rig.origin.serves_bytes(&url, noise(number, 300_000)),
            4 => rig.origin.serves_bytes(&url, noise(number, 30_000)),
            _ => {}
        }
    }
    let mut random = Random(1);
    for round in 0..count / 20 {
        let picks: Vec<_> = (0..20).map(|_| (random.below(20), format!("test:{}", random.below(40)))).collect();
        let requests = picks.iter().map(async |(kind, url)| match kind {
            0..8 => drop(cache.get_or_download(url).await),
            8..14 => drop(cache.get(url).await.unwrap()),
            14..17 => drop(cache.put(url, noise(*kind, 2000), "image/png", "a.png").await.unwrap()),
            17 => drop(cache.remove(url).await.unwrap()),
            18 => drop(cache.put("no url", "bytes", "image/png", "a.png").await.unwrap_err()),
            _ => drop(fs::remove_file(media_file(&rig.directory(), url))),
        });
        futures::future::join_all(requests).await;
        if round % 10 == 0 {
            rig.clock.advance(Duration::from_secs(10));
        }
    }
}

async fn handles_after_mixed_requests(items: u32, memory: u64) -> (u64, u64) {
    let rig = CacheRig::create();
    let set = |builder: media_cache::Builder| {
        entry_budget(builder, 12 * SMALL).max_memory_items(items).max_memory_bytes(memory).max_open_files(items)
    };
    let cache = rig.open_with(set).await;
    mixed_requests(&rig, &cache, 4000).await;
    let stats = stats(&cache).await;
    assert!(stats.hits > 100 && stats.misses > 100 && stats.evictions > 100 && stats.download_failures > 10);
    assert!(stats.transcoded > 10 && stats.transcode_failures > 10 && stats.oversize > 10);
    assert!(items > 0 || stats.damaged > 0);
    (cache.status().await.unwrap().blob_handles as u64, stats.resident_entries + u64::from(stats.open_files))
}

#[tokio::test]
async fn no_blob_handle_remains_without_residents_and_open_files() {
    assert_eq!(handles_after_mixed_requests(0, 1 << 20).await, (0, 0));
}

#[tokio::test]
async fn one_blob_handle_remains_per_resident_or_open_entry() {
    for memory in [1 << 20, 20_000, 0] {
        let (handles, held) = handles_after_mixed_requests(5, memory).await;
        assert_eq!(handles, held, "with {memory} bytes");
        assert!(held > 0);
    }
}

#[tokio::test]
async fn cancelled_requests_leave_no_blob_handles_behind() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    let latch = rig.origin.hold("test:a");
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get_or_download("test:a").await })
        })
        .collect();
    until(&cache, |stats| stats.coalesced == 49).await;
    for asker in askers {
        asker.abort();
        assert!(asker.await.unwrap_err().is_cancelled());
    }
    latch.open();
    until(&cache, |stats| stats.stored == 1).await;
    // The waiting requests are completed one after the other, although their callers are gone. The entry's file remains open.
    let given_back = async {
        while cache.status().await.unwrap().blob_handles > 1 {
            tokio::task::yield_now().await;
        }
    };
    soon(given_back).await;
    let stats = stats(&cache).await;
    assert_eq!((stats.resident_entries, stats.open_files), (0, 1));
}

#[tokio::test]
async fn open_files_stay_within_the_limit_and_are_closed_with_the_cache() {
    let open_files = || fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    for (memory_bytes, resident, open) in [(0, 0, 5), (1 << 20, 3, 5)] {
        let rig = CacheRig::create();
        let ours =
            || open_files().filter(|path| path.starts_with(rig.directory()) && path.to_string_lossy().contains(".dat")).count();
        let set = |builder: media_cache::Builder| builder.max_memory_items(3).max_memory_bytes(memory_bytes).max_open_files(5);
        let cache = rig.open_with(set).await;
        for number in 0..60 {
            let url = format!("test:{}", number % 12);
            drop(cache.get_or_download(&url).await.unwrap());
        }
        let stats = stats(&cache).await;
        assert_eq!((stats.resident_entries, stats.open_files), (resident, open));
        assert_eq!(ours() as u32, open);
        cache.close().await.unwrap();
        assert_eq!(ours(), 0);
    }
}
