//! Compares the cache with a small model over several hundred requests, which are the same in every run. After each request, the order, the
//! files and the counters must match the model.

use media_cache::{CacheError, MediaCache, StoreError};
use media_cache_test_support::cache_directory::disk_usage;
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{order, resident, stats};
use media_cache_test_support::random::{Random, noise};

const BUDGET: u64 = 10 * SMALL;

/// An LRU cache with two tiers.
#[derive(Default)]
struct Model {
    /// URL and disk usage, the least recently used first.
    stored: Vec<(String, u64)>,
    /// The URLs of resident entries, the least recently used first.
    at_hand: Vec<String>,
    items: usize,
    hits: u64,
    misses: u64,
    evictions: u64,
}

impl Model {
    fn used(&self) -> u64 {
        self.stored.iter().map(|(_, size)| size).sum()
    }

    /// Moves an entry to the end if it is stored.
    fn touch(&mut self, url: &str) -> bool {
        let Some(at) = self.stored.iter().position(|(stored, _)| stored == url) else { return false };
        let entry = self.stored.remove(at);
        self.stored.push(entry);
        self.keep(url);
        true
    }

    fn store(&mut self, url: &str, media: usize) {
        let size = (media as u64).div_ceil(4096) * 4096 + 4096;
        if size > BUDGET {
            return;
        }
        while self.used() + size > BUDGET {
            let (url, _) = self.stored.remove(0);
            self.at_hand.retain(|held| *held != url);
            self.evictions += 1;
        }
        self.stored.push((url.into(), size));
        self.keep(url);
    }

    fn keep(&mut self, url: &str) {
        self.at_hand.retain(|held| held != url);
        self.at_hand.push(url.into());
        while self.at_hand.len() > self.items {
            self.at_hand.remove(0);
        }
    }

    fn remove(&mut self, url: &str) -> bool {
        let before = self.stored.len();
        self.stored.retain(|(stored, _)| stored != url);
        self.at_hand.retain(|held| held != url);
        self.stored.len() < before
    }
}

/// The media at a URL. Some sizes are at a block boundary, and some are too large to be stored.
fn media_of(url: &str) -> Vec<u8> {
    let seed = url.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
    let sizes = [1, 500, 4095, 4096, 4097, 9000, 12_288, 12_289, 30_000, 77_824, 77_825];
    noise(seed, sizes[(seed % sizes.len() as u64) as usize])
}

async fn one_request(random: &mut Random, rig: &CacheRig, cache: &MediaCache, model: &mut Model) {
    // Some URLs are requested more often than others.
    let url = format!("test:{}", random.below(6) * random.below(8));
    let media = media_of(&url);
    rig.origin.serves_bytes(&url, media.clone());
    match random.below(10) {
        0..4 => {
            let answer = cache.get_or_download(&url).await.unwrap();
            assert_eq!(body(&answer).await, media);
            if model.touch(&url) {
                model.hits += 1;
            } else {
                model.misses += 1;
                model.store(&url, media.len());
            }
        }
        4..7 => {
            let answer = cache.get(&url).await.unwrap();
            let hit = model.touch(&url);
            assert_eq!(answer.is_some(), hit, "{url}");
            if let Some(found) = answer {
                assert_eq!(body(&found).await, media);
            }
            model.hits += u64::from(hit);
            model.misses += u64::from(!hit);
        }
        7..9 => {
            let outcome = cache.put(&url, media.clone(), "image/png", "picture.png").await.unwrap();
            let known = model.touch(&url);
            assert_eq!(outcome.known, known);
            if !known {
                model.store(&url, media.len());
            }
            assert_eq!(outcome.not_stored.is_some(), media.len() == 77_825, "{:?}", outcome.not_stored);
        }
        _ => assert_eq!(cache.remove(&url).await.unwrap(), model.remove(&url)),
    }
}

async fn run(seed: u64, items: u32, requests: usize) {
    let rig = CacheRig::create();
    let mut model = Model { items: items as usize, ..Model::default() };
    let mut random = Random(seed);
    let cache = rig.open_with(|builder| entry_budget(builder, BUDGET).max_memory_items(items).max_open_files(0)).await;
    for number in 0..requests {
        one_request(&mut random, &rig, &cache, &mut model).await;
        let context = format!("after request {number} of seed {seed} with {items} items");
        let (used, files) = disk_usage(&rig.directory());
        let stats = stats(&cache).await;
        assert!(used <= BUDGET, "{used} bytes of disk {context}");
        assert_eq!((stats.disk_bytes, 2 * stats.entries), (used, files as u64), "{context}");
        let expected: Vec<&str> = model.stored.iter().map(|(url, _)| url.as_str()).collect();
        assert_eq!(order(&cache).await, expected, "{context}");
        assert_eq!(resident(&cache).await, model.at_hand, "{context}");
        assert_eq!(used, model.used(), "{context}");
        assert_eq!((stats.hits, stats.misses, stats.evictions), (model.hits, model.misses, model.evictions), "{context}");
        assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (0, 0), "{context}");
    }
    assert!(model.evictions > 20 && model.hits > 50, "the workload has too few evictions or hits");
}

#[tokio::test]
async fn random_workload_matches_the_model_without_residents() {
    run(1, 0, 400).await;
}

#[tokio::test]
async fn random_workload_matches_the_model_with_a_few_residents() {
    run(2, 4, 400).await;
}

#[tokio::test]
async fn random_workload_matches_the_model_with_all_entries_resident() {
    run(3, 64, 400).await;
}

#[tokio::test]
async fn concurrent_requests_stay_within_the_budget_and_leave_no_stray_files() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, BUDGET).max_memory_items(4)).await;
    let urls: Vec<String> = (0..48).map(|number| format!("test:{number}")).collect();
    for url in &urls {
        rig.origin.serves_bytes(url, media_of(url));
    }
    let mut random = Random(4);
    let mut requests = 0;
    for _ in 0..40 {
        let picks: Vec<(u64, &String)> = (0..16).map(|_| (random.below(10), &urls[random.below(48) as usize])).collect();
        let answers = picks.iter().map(async |(kind, url)| match kind {
            0..5 => assert_eq!(body(&cache.get_or_download(url).await.unwrap()).await, media_of(url)),
            5..7 => {
                if let Some(found) = cache.get(url).await.unwrap() {
                    assert_eq!(body(&found).await, media_of(url));
                }
            }
            7..9 => match cache.put(url, media_of(url), "image/png", "picture.png").await {
                Ok(outcome) => assert!(!matches!(outcome.not_stored, Some(StoreError::InvalidUrl(_) | StoreError::Refused))),
                Err(error) => panic!("{error}"),
            },
            _ => drop::<Result<bool, CacheError>>(cache.remove(url).await),
        });
        futures::future::join_all(answers).await;
        requests += picks.iter().filter(|(kind, _)| *kind < 7).count() as u64;
        let stats = stats(&cache).await;
        let (used, files) = disk_usage(&rig.directory());
        assert!(used <= BUDGET, "{used}");
        assert_eq!((stats.disk_bytes, 2 * stats.entries), (used, files as u64));
        assert_eq!(stats.hits + stats.misses, requests);
        assert_eq!(stats.damaged, 0);
    }
}
