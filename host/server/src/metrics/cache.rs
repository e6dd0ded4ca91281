//! Metrics of the cache component and its policy, as of the last scrape.
//!
//! A component that crashes is restarted and counts from zero. Because counters must not decrease, its counts at the last scrape are added
//! from then on. Only what it counted after that scrape is lost.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use media_cache::policy::PolicyTotals;
use media_cache::{Stats, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::cache_counters::{COUNTERS, Count, Counters};
use crate::metrics::durations::DurationsSnapshot;
use crate::metrics::encode::Encode;

/// The gauges: name, help, and value.
const GAUGES: &[(&str, &str, Count)] = &[
    (
        "entries",
        "Entries, including those that are being written and, while the directory is loading, those that are not verified yet",
        |stats| stats.entries,
    ),
    ("media_bytes", "Size of the media of all entries", |stats| stats.media_bytes),
    ("disk_bytes", "Disk space of all entries: both files of each, rounded up to blocks of 4096 bytes", |stats| stats.disk_bytes),
    (
        "other_disk_bytes",
        "Disk space of everything except entries: large bodies that are still arriving, the index, removed files that are still open, and remembered policies",
        |stats| stats.other_disk_bytes,
    ),
    ("disk_budget_bytes", "The disk budget in bytes, for entries and everything else", |stats| stats.max_disk_bytes),
    ("entry_budget_bytes", "The part of the disk budget that is available to entries, in bytes", |stats| stats.max_entry_bytes),
    ("resident_entries", "Entries in the memory tier", |stats| stats.resident_entries),
    ("resident_entries_limit", "The maximum number of entries in the memory tier", |stats| stats.max_memory_items.into()),
    ("open_files", "Entries whose files are kept open", |stats| stats.open_files.into()),
    ("open_files_limit", "The maximum number of entries whose files are kept open", |stats| stats.max_open_files.into()),
    ("memory_bytes", "Bytes of media in memory", |stats| stats.memory_bytes),
    ("memory_budget_bytes", "The maximum number of bytes of media in memory", |stats| stats.max_memory_bytes),
];

/// The cache as of the last scrape.
#[derive(Debug, Default)]
pub(crate) struct CacheMetrics(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    status: Status,
    /// The counts of earlier instances of the component.
    before: Vec<u64>,
    /// The counts of the current instance.
    now: Vec<u64>,
    policy_totals: PolicyTotals,
}

impl CacheMetrics {
    /// Replaces the previous status. Concurrent scrapes may call this out of order.
    pub fn update(&self, status: Status, policy_totals: PolicyTotals) {
        let now = counts(&status.cache);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The host counts the calls into policies, and does not restart, so the larger count is the later one.
        let last = seen.take();
        let policy_totals = match &last {
            Some(last) if calls(&last.policy_totals) > calls(&policy_totals) => last.policy_totals.clone(),
            _ => policy_totals,
        };
        let (before, now) = match last {
            None => (vec![0; now.len()], now),
            Some(last) if last.status.restarts < status.restarts => (pairwise(&last.before, &last.now, u64::saturating_add), now),
            Some(last) if last.status.restarts == status.restarts => (last.before, pairwise(&last.now, &now, u64::max)),
            Some(later) => {
                *seen = Some(Seen { policy_totals, ..later });
                return;
            }
        };
        *seen = Some(Seen { status, before, now, policy_totals });
    }
}

/// The number of calls into all policies.
fn calls(totals: &PolicyTotals) -> u64 {
    totals.calls.buckets.iter().map(|(_, count)| count).sum()
}

/// All counters, in the order of the table.
fn counts(stats: &Stats) -> Vec<u64> {
    COUNTERS.iter().flat_map(|counters| counters.series).map(|series| (series.count)(stats)).collect()
}

fn pairwise(one: &[u64], other: &[u64], combine: fn(u64, u64) -> u64) -> Vec<u64> {
    one.iter().zip(other).map(|(one, other)| combine(*one, *other)).collect()
}

impl Collector for CacheMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Seen { status, before, now, policy_totals }) = &*seen else { return Ok(()) };
        let mut counted = pairwise(before, now, u64::saturating_add).into_iter();
        for Counters { name, help, label, series } in COUNTERS {
            let values: Vec<_> = series.iter().map(|series| series.value).zip(&mut counted).collect();
            match values.as_slice() {
                [("", value)] => encoder.counter(name, help, *value)?,
                values => encoder.counters(name, help, label, values)?,
            }
        }
        for (name, help, value) in GAUGES {
            encoder.gauge(name, help, value(&status.cache))?;
        }
        encoder.gauge("blob_handles", "Blobs that the cache component holds", status.blob_handles as u64)?;
        encoder.counter("component_restarts", "Restarts of the cache component after a trap", status.restarts)?;
        let component = &status.component;
        let labels = [("name", component.current.name.as_str()), ("version", &component.current.version)];
        encoder.info("component", "The name and version of the active cache component", &labels)?;
        encoder.counter("component_swaps", "Requested swaps of the cache component", component.swaps)?;
        encoder.counter(
            "component_swap_failures",
            "Failed swaps of the cache component, which leave the active one in place",
            component.failed_swaps,
        )?;
        let policy = &status.policy;
        let labels = [("name", policy.name.as_str()), ("version", &policy.version)];
        encoder.info("policy", "The name and version of the active eviction policy", &labels)?;
        let calls = DurationsSnapshot(&policy_totals.calls);
        encoder.metric("policy_call_seconds", "Duration of calls into eviction policies", &calls)?;
        encoder.gauge("policy_memory_bytes", "Linear memory of the active policy", policy.memory_bytes)?;
        encoder.counter(
            "policy_rejected_ids",
            "Ids returned by policies that were ignored because they were not tracked or were named twice",
            policy_totals.rejected_ids,
        )?;
        encoder.counter("policy_swaps", "Requested policy swaps", policy.swaps)?;
        encoder.counter(
            "policy_fallbacks",
            "Policies that were disabled because of a fault and replaced by the built-in LRU",
            policy.fallbacks,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media_cache::{MediaCache, NoDownloader, NoTranscoder};
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    /// The status of an empty cache.
    async fn empty() -> (Status, PolicyTotals) {
        let directory = tempfile::tempdir().unwrap();
        let builder = MediaCache::builder().directory(directory.path()).downloader(NoDownloader).transcoder(NoTranscoder);
        let cache = builder.open().await.unwrap();
        (cache.status().await.unwrap(), cache.policy_totals())
    }

    fn stored(metrics: &Arc<CacheMetrics>) -> u64 {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics.clone()));
        let mut written = String::new();
        text::encode(&mut written, &registry).unwrap();
        written.lines().find_map(|line| line.strip_prefix("stored_total ")).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn counters_never_decrease_across_restarts_and_overlapping_scrapes() {
        let metrics = Arc::new(CacheMetrics::default());
        let (status, totals) = empty().await;
        for (restarts, counted, expected) in [(0, 7, 7), (0, 5, 7), (1, 2, 9), (0, 8, 9), (1, 3, 10), (3, 1, 11)] {
            let mut status = Status { restarts, ..status.clone() };
            status.cache.stored = counted;
            metrics.update(status, totals.clone());
            assert_eq!(stored(&metrics), expected, "{restarts} restarts, {counted} stored");
        }
    }
}
