//! Requests that are the same in every run, and their effect on a plain LRU.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use media_cache::policy::{PolicyChoice, PolicyComponent, PolicyLimits, PolicyOrigin};
use media_cache::{Builder, MediaCache, Source};
use media_cache_test_support::cache_directory::disk_usage;
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, ENGINE, SMALL, entry_budget};
use media_cache_test_support::cache_state::{order, resident};
use media_cache_test_support::random::Random;
use media_cache_test_support::scripted_origin::text;

/// The number of entries that fit on disk.
pub const ENTRIES: usize = 10;
/// The number of entries that are kept in memory.
pub const ITEMS: usize = 4;

/// Small limits, so that evictions and faults occur quickly.
pub fn small(builder: Builder) -> Builder {
    let limits = PolicyLimits { memory_bytes: 32 << 20, call_time: Duration::from_millis(50) };
    entry_budget(builder, ENTRIES as u64 * SMALL).max_memory_items(ITEMS as u32).max_open_files(0).policy_limits(limits)
}

/// Compiles a policy for these tests. Each policy is compiled only once, because this takes longer than most of the tests.
pub fn policy(component: &[u8]) -> PolicyComponent {
    static COMPILED: Mutex<BTreeMap<Vec<u8>, PolicyComponent>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap();
    let compile = || ENGINE.compile_policy(PolicyOrigin::Upload, component).unwrap();
    compiled.entry(component.into()).or_insert_with(compile).clone()
}

/// A policy with options.
pub fn choice(component: &[u8], options: &[(&str, &str)]) -> PolicyChoice {
    let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    PolicyChoice { component: policy(component), options }
}

/// A cache that receives requests, and its expected state.
pub struct Asked {
    pub rig: CacheRig,
    pub cache: MediaCache,
    random: Random,
    /// The URLs that a plain LRU would store, the least recently used first.
    stored: Vec<String>,
    at_hand: Vec<String>,
    pub hits: u64,
    pub misses: u64,
}

impl Asked {
    pub async fn open(set: impl FnOnce(Builder) -> Builder) -> Self {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| set(small(builder))).await;
        Self { rig, cache, random: Random(1), stored: Vec::new(), at_hand: Vec::new(), hits: 0, misses: 0 }
    }

    /// Requests a random URL out of twice as many as fit on disk. The response must be correct, and the limits must hold.
    pub async fn ask(&mut self) {
        let url = format!("test:{}", self.random.below(2 * ENTRIES as u64));
        let media = self.cache.get_or_download(&url).await.unwrap();
        assert_eq!(body(&media).await, text(&url));
        match media.source {
            Source::Origin => self.misses += 1,
            _ => self.hits += 1,
        }
        let of_lru = [(&mut self.stored, ENTRIES), (&mut self.at_hand, ITEMS)];
        for (urls, room) in of_lru {
            urls.retain(|known| *known != url);
            urls.push(url.clone());
            let surplus = urls.len().saturating_sub(room);
            urls.drain(..surplus);
        }
        self.check_limits().await;
    }

    /// Sends a number of requests.
    pub async fn ask_often(&mut self, times: usize) {
        for _ in 0..times {
            self.ask().await;
        }
    }

    /// Like [`ask_often`](Self::ask_often). After each request, the stored entries must be exactly those that a plain LRU would store.
    pub async fn ask_lru(&mut self, times: usize) {
        for _ in 0..times {
            self.ask().await;
            self.check_lru().await;
        }
    }

    pub async fn check_lru(&self) {
        assert_eq!(order(&self.cache).await, self.stored, "{:#?}", self.cache.policy());
        assert_eq!(resident(&self.cache).await, self.at_hand, "{:#?}", self.cache.policy());
    }

    async fn check_limits(&self) {
        let status = self.cache.status().await.unwrap();
        let stats = status.cache;
        let (used, files) = disk_usage(&self.rig.directory());
        assert!(used <= ENTRIES as u64 * SMALL, "{used}");
        assert_eq!((stats.disk_bytes, 2 * stats.entries), (used, files as u64));
        assert!(stats.resident_entries <= ITEMS as u64, "{}", stats.resident_entries);
        assert_eq!((stats.hits, stats.misses), (self.hits, self.misses));
        assert_eq!(status.blob_handles as u64, stats.resident_entries + u64::from(stats.open_files));
        assert_eq!((status.restarts, stats.damaged, stats.download_failures), (0, 0, 0), "the cache itself has no faults");
    }
}

/// Asserts that new entries evict the existing ones one by one, the least recently used first, from disk and from memory.
pub async fn evicts_by_use(cache: &MediaCache) {
    let (mut on_disk, mut at_hand) = (order(cache).await, resident(cache).await);
    let (full_disk, full_memory) = (on_disk.len(), at_hand.len());
    // If a tier is not full, the previous policy refused entries.
    let status = cache.status().await.unwrap().cache;
    let (room, items) = ((status.max_entry_bytes / SMALL) as usize, status.max_memory_items as usize);
    for number in 0..2 * full_disk.max(full_memory) {
        let url = format!("test:new-{number}");
        cache.get_or_download(&url).await.unwrap();
        for (urls, most) in [(&mut on_disk, room), (&mut at_hand, items)] {
            urls.push(url.clone());
            let surplus = urls.len().saturating_sub(most);
            urls.drain(..surplus);
        }
        assert_eq!(order(cache).await, on_disk);
        assert_eq!(resident(cache).await, at_hand);
    }
}
