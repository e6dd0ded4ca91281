//! Policies that are replaced repeatedly under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use media_cache::{MediaCache, StoreError, embedded};
use media_cache_test_support::cache_directory::disk_usage;
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, ENGINE, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, order};
use media_cache_test_support::random::{Random, noise};

const BUDGET: u64 = 40 * SMALL;
const ITEMS: u32 = 12;
const TASKS: u64 = 4;
const REQUESTS: u64 = 500;
const URLS: u64 = 120;

fn media_of(number: u64) -> Vec<u8> {
    noise(number, [1, 4096, 4097, 9000, 30_000][(number % 5) as usize])
}

#[derive(Default)]
struct Counted {
    lookups: AtomicU64,
    refused: AtomicU64,
    removed: AtomicU64,
}

async fn ask(cache: &MediaCache, random: &mut Random, counted: &Counted) {
    let number = random.below(12) * random.below(10);
    let url = format!("test:{number}");
    match random.below(10) {
        0..5 => {
            let media = cache.get_or_download(&url).await.unwrap();
            assert_eq!(body(&media).await, media_of(number));
            counted.lookups.fetch_add(1, Relaxed);
        }
        5..7 => {
            if let Some(media) = cache.get(&url).await.unwrap() {
                assert_eq!(body(&media).await, media_of(number));
            }
            counted.lookups.fetch_add(1, Relaxed);
        }
        7..9 => {
            let outcome = cache.put(&url, media_of(number), "image/png", "a.png").await.unwrap();
            match outcome.not_stored {
                Some(StoreError::Refused) => drop(counted.refused.fetch_add(1, Relaxed)),
                other => assert!(other.is_none(), "{other:?}"),
            }
        }
        _ => drop(counted.removed.fetch_add(u64::from(cache.remove(&url).await.unwrap()), Relaxed)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_and_policy_swaps_lose_nothing_and_stay_within_the_budget() {
    let rig = CacheRig::create();
    for number in 0..URLS {
        rig.origin.serves_bytes(&format!("test:{number}"), media_of(number));
    }
    let cache = rig.open_with(|builder| entry_budget(builder, BUDGET).max_memory_items(ITEMS)).await;
    let (counted, done) = (Counted::default(), AtomicBool::new(false));
    let tasks = (0..TASKS).map(async |seed| {
        let mut random = Random(seed);
        for _ in 0..REQUESTS {
            ask(&cache, &mut random, &counted).await;
            let used = cache.status().await.unwrap().cache.disk_bytes;
            assert!(used <= BUDGET, "{used}");
        }
    });
    let asking = async {
        futures::future::join_all(tasks).await;
        done.store(true, Relaxed);
    };
    let swapping = async {
        let mut swaps = 0;
        for name in embedded::policy_names().into_iter().cycle() {
            if done.load(Relaxed) {
                break;
            }
            let status = cache.swap_policy(ENGINE.built_in_policy(name).unwrap()).await.unwrap();
            swaps += 1;
            assert_eq!((status.name.as_str(), status.swaps), (name, swaps));
        }
        swaps
    };
    let ((), swaps) = futures::future::join(asking, swapping).await;
    assert!(swaps > 10, "{swaps}");
    adds_up(&rig, &cache, &counted).await;

    let used = order(&cache).await;
    cache.swap_policy(ENGINE.built_in_policy("lru").unwrap()).await.unwrap();
    evicted_one_by_one(&cache, used).await;
}

async fn adds_up(rig: &CacheRig, cache: &MediaCache, counted: &Counted) {
    let status = cache.status().await.unwrap();
    let stats = &status.cache;
    let (used, files) = disk_usage(&rig.directory());
    assert_eq!((stats.disk_bytes, 2 * stats.entries), (used, files as u64));
    assert!(stats.resident_entries <= u64::from(ITEMS));
    assert_eq!(status.blob_handles as u64, stats.resident_entries + u64::from(stats.open_files));
    assert_eq!(stats.stored, stats.entries + stats.evictions + counted.removed.load(Relaxed), "{stats:?}");
    assert_eq!(stats.hits + stats.misses, counted.lookups.load(Relaxed));
    assert!(stats.refused >= counted.refused.load(Relaxed));
    // There may be shortfalls: a policy can name an entry that is being written, in which case another must be evicted.
    assert_eq!((stats.damaged, stats.store_failures, stats.policy_rejected_ids), (0, 0, 0));
    assert_eq!((status.restarts, status.policy.fallbacks), (0, 0));
    assert!(stats.evictions > 50 && stats.hits > 100, "{stats:?}");
    for entry in entries(cache).await {
        let number = entry.url.strip_prefix("test:").unwrap().parse().unwrap();
        let media = cache.get(&entry.url).await.unwrap().unwrap();
        assert_eq!(body(&media).await, media_of(number), "{}", entry.url);
    }
}

/// Asserts that new entries evict these entries, in this order.
async fn evicted_one_by_one(cache: &MediaCache, mut expected: Vec<String>) {
    for number in 0.. {
        let stored = order(cache).await;
        let left: Vec<&String> = stored.iter().filter(|url| expected.contains(url)).collect();
        expected.drain(..expected.len() - left.len());
        assert_eq!(left, expected.iter().collect::<Vec<_>>());
        if expected.is_empty() {
            return;
        }
        cache.get_or_download(&format!("test:new-{number}")).await.unwrap();
    }
}
