//! Metrics of the cache component and its policy, as of the last scrape.
//!
//! A component that breaks down is restarted and counts from zero. Since counters must not decrease, its counts at the last scrape
//! are added from then on; only what it counted after that scrape is lost.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use media_cache::policy::PolicyTotals;
use media_cache::{Stats, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::durations::DurationsSnapshot;
use crate::metrics::encode::Encode;

type Count = fn(&Stats) -> u64;

/// Counters that differ in one label.
struct Counters {
    /// Without `_total`.
    name: &'static str,
    help: &'static str,
    label: &'static str,
    series: &'static [(&'static str, Count)],
}

/// The counters with a label.
const LABELLED: &[Counters] = &[
    Counters {
        name: "hits",
        help: "Requests answered from the cache, by where the bytes were",
        label: "tier",
        series: &[("memory", |stats| stats.hits.saturating_sub(stats.disk_hits)), ("disk", |stats| stats.disk_hits)],
    },
    Counters {
        name: "evictions",
        help: "Entries that had to go: from disk for good, or from memory to disk alone",
        label: "tier",
        series: &[("disk", |stats| stats.evictions), ("memory", |stats| stats.memory_evictions)],
    },
    Counters {
        name: "gifs",
        help: "GIFs that came in, by what was stored for them",
        label: "stored_as",
        series: &[("mp4", |stats| stats.transcoded), ("gif", |stats| stats.transcode_failures)],
    },
];

/// The counters without labels: name, help, and value.
const PLAIN: &[(&str, &str, Count)] = &[
    ("misses", "Requests that found nothing stored", |stats| stats.misses),
    ("coalesced", "Misses that waited for a download in progress", |stats| stats.coalesced),
    ("remembered_failures", "Misses that were told of a failure which was remembered", |stats| stats.remembered_failures),
    ("stored", "Entries stored, by download or PUT", |stats| stats.stored),
    ("refused", "Entries that the policy did not want on disk", |stats| stats.refused),
    ("oversize", "Media handed on without being stored, being larger than the whole budget", |stats| stats.oversize),
    ("no_store", "Media handed on without being stored, as its origin demands", |stats| stats.no_store),
    ("store_failures", "Media handed on without being stored because the disk failed", |stats| stats.store_failures),
    ("damaged", "Entries dropped because their file was gone, short or damaged", |stats| stats.damaged),
    ("policy_shortfalls", "Entries that the cache chose to evict by itself, the policy having named too few", |stats| {
        stats.policy_shortfalls
    }),
];

/// The gauges: name, help, and value.
const GAUGES: &[(&str, &str, Count)] = &[
    ("entries", "Entries on disk", |stats| stats.entries),
    ("media_bytes", "Bytes of media stored", |stats| stats.media_bytes),
    ("disk_bytes", "Bytes of disk used, in blocks of 4096, both files of each entry", |stats| stats.disk_bytes),
    ("disk_budget_bytes", "Most bytes of disk to be used", |stats| stats.max_disk_bytes),
    ("resident_entries", "Entries in memory or open", |stats| stats.resident_entries),
    ("resident_entries_limit", "Most entries in memory or open", |stats| stats.max_memory_items.into()),
    ("memory_bytes", "Bytes of media in memory", |stats| stats.memory_bytes),
    ("memory_budget_bytes", "Most bytes of media in memory", |stats| stats.max_memory_bytes),
];

/// The cache as of the last scrape.
#[derive(Debug, Default)]
pub(crate) struct CacheMetrics(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    status: Status,
    /// What earlier instances of the component counted.
    before: Vec<u64>,
    /// What the present instance has counted.
    now: Vec<u64>,
    policy_totals: PolicyTotals,
}

impl CacheMetrics {
    /// Replaces the last status. Concurrent scrapes may do that out of order.
    pub fn update(&self, status: Status, policy_totals: PolicyTotals) {
        let now = counts(&status.cache);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Policies are counted by the host, which does not start again: the larger count is the later one.
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

/// All counters, in the order of the tables.
fn counts(stats: &Stats) -> Vec<u64> {
    let labelled = LABELLED.iter().flat_map(|counters| counters.series).map(|(_, count)| count);
    labelled.chain(PLAIN.iter().map(|(_, _, count)| count)).map(|count| count(stats)).collect()
}

fn pairwise(one: &[u64], other: &[u64], combine: fn(u64, u64) -> u64) -> Vec<u64> {
    one.iter().zip(other).map(|(one, other)| combine(*one, *other)).collect()
}

impl Collector for CacheMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Seen { status, before, now, policy_totals }) = &*seen else { return Ok(()) };
        let mut counted = pairwise(before, now, u64::saturating_add).into_iter();
        for Counters { name, help, label, series } in LABELLED {
            let values: Vec<_> = series.iter().map(|(value, _)| *value).zip(&mut counted).collect();
            encoder.counters(name, help, label, &values)?;
        }
        for ((name, help, _), value) in PLAIN.iter().zip(counted) {
            encoder.counter(name, help, value)?;
        }
        for (name, help, value) in GAUGES {
            encoder.gauge(name, help, value(&status.cache))?;
        }
        encoder.gauge("blob_handles", "Blobs that the component holds", status.blob_handles as u64)?;
        encoder.counter("component_restarts", "Times that the component broke down and was started again", status.restarts)?;
        let policy = &status.policy;
        let labels = [("name", policy.name.as_str()), ("version", &policy.version)];
        encoder.info("policy", "The eviction policy in place, in its own words", &labels)?;
        let calls = DurationsSnapshot(&policy_totals.calls);
        encoder.metric("policy_call_seconds", "Time that calls into eviction policies took", &calls)?;
        encoder.gauge("policy_memory_bytes", "Linear memory of the policy in place", policy.memory_bytes)?;
        encoder.counter(
            "policy_rejected_ids",
            "Ids in answers of policies that do not reside, or came twice",
            policy_totals.rejected_answers,
        )?;
        encoder.counter("policy_swaps", "Times that the policy was replaced on demand", policy.swaps)?;
        encoder.counter("policy_fallbacks", "Times that a policy was disabled for a fault, and the LRU took over", policy.fallbacks)
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
    async fn counters_do_not_go_down_when_the_component_starts_anew_or_scrapes_overtake_each_other() {
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
