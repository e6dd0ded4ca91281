//! The state of a cache of the library: its counters and its entries.

use std::time::Duration;

use media_cache::{Health, Listed, LoadReport, MediaCache, Stats};

use crate::manual_clock::ManualClock;
use crate::soon::soon;

/// The counters of a cache.
///
/// # Panics
/// If the cache component was restarted or a policy was disabled.
pub async fn stats(cache: &MediaCache) -> Stats {
    let status = cache.status().await.unwrap();
    assert_eq!((status.restarts, status.policy.fallbacks), (0, 0), "a component failed");
    status.cache
}

/// Waits until the counters meet a condition, for changes inside the component that no event signals.
pub async fn until(cache: &MediaCache, condition: impl Fn(&Stats) -> bool) -> Stats {
    let reached = async {
        loop {
            let stats = stats(cache).await;
            if condition(&stats) {
                return stats;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(reached).await
}

/// Waits until a cache stores media again after faults have ended. Advances the clock, by which failed operations are retried once a
/// second.
pub async fn recovered(cache: &MediaCache, clock: &ManualClock) {
    soon(cache.loaded()).await.unwrap();
    let stores_again = async {
        loop {
            clock.advance(Duration::from_secs(1));
            let _ = cache.checkpoint().await;
            match cache.health().await.unwrap() {
                Health::Storing => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon(stores_again).await;
}

/// The entries and files that a start found in the directory.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// Entries.
    pub entries: u64,
    /// How many of the entries were taken from the index log.
    pub from_index: u64,
    /// Unfinished files that were removed.
    pub leftovers: u64,
    /// Damaged entries that were removed.
    pub damaged: u64,
    /// Entries that were evicted.
    pub evicted: u64,
}

/// The entries and files that the start of a cache found in the directory.
pub fn found(cache: &MediaCache) -> Found {
    let LoadReport { entries, from_index, leftovers, damaged, evicted } = cache.load_report().unwrap();
    Found { entries, from_index, leftovers, damaged, evicted }
}

/// All entries, least recently used first.
pub async fn entries(cache: &MediaCache) -> Vec<Listed> {
    let mut entries = Vec::new();
    let mut next = None;
    loop {
        let page = cache.entries(next, 100).await.unwrap();
        entries.extend(page.entries);
        next = page.next;
        if next.is_none() {
            return entries;
        }
    }
}

/// The URLs of all entries, least recently used first.
pub async fn order(cache: &MediaCache) -> Vec<String> {
    entries(cache).await.into_iter().map(|entry| entry.url).collect()
}

/// The URLs of the resident entries, least recently used first.
pub async fn resident(cache: &MediaCache) -> Vec<String> {
    entries(cache).await.into_iter().filter(|entry| entry.resident).map(|entry| entry.url).collect()
}
