//! The counters of the cache component, for `/metrics` and `/stats`. A new counter needs only a row here.
//!
//! Counters that appear only in `/stats` are in [`stats`](crate::handlers::stats): the keys that admin pages poll, and downloads, which
//! `/metrics` counts in a wrapper around the downloader.

use media_cache::Stats;

/// Reads a count.
pub(crate) type Count = fn(&Stats) -> u64;

/// A counter, or several that differ in one label.
pub(crate) struct Counters {
    /// The name of the metric, without prefix and `_total`.
    pub name: &'static str,
    pub help: &'static str,
    /// The name of the label; empty if there is none.
    pub label: &'static str,
    pub series: &'static [Series],
}

/// One time series.
pub(crate) struct Series {
    /// The value of the label; empty if there is none.
    pub value: &'static str,
    /// The section and key of the value in `/stats`, if it appears there.
    pub stats: Option<(&'static str, &'static str)>,
    pub count: Count,
}

/// A counter without labels.
const fn plain(name: &'static str, help: &'static str, series: &'static [Series; 1]) -> Counters {
    Counters { name, help, label: "", series }
}

const fn series(value: &'static str, section: &'static str, key: &'static str, count: Count) -> Series {
    Series { value, stats: Some((section, key)), count }
}

const fn only_metric(value: &'static str, count: Count) -> Series {
    Series { value, stats: None, count }
}

/// All counters, in the order of `/metrics`.
pub(crate) const COUNTERS: &[Counters] = &[
    Counters {
        name: "hits",
        help: "Requests served from the cache, by the tier that held the bytes",
        label: "tier",
        series: &[
            only_metric("memory", |stats| stats.hits.saturating_sub(stats.disk_hits)),
            only_metric("disk", |stats| stats.disk_hits),
        ],
    },
    Counters {
        name: "evictions",
        help: "Entries evicted, from disk or from the memory tier",
        label: "tier",
        series: &[
            series("disk", "storage", "evictions", |stats| stats.evictions),
            series("memory", "storage", "memory_evictions", |stats| stats.memory_evictions),
        ],
    },
    Counters {
        name: "conversions",
        help: "Attempted conversions, by which media was kept: the converted media, or the original because the conversion failed",
        label: "stored",
        series: &[
            series("converted", "transcoding", "succeeded", |stats| stats.transcoded),
            series("original", "transcoding", "failed", |stats| stats.transcode_failures),
        ],
    },
    Counters {
        name: "refreshes",
        help: "Refreshes, by outcome. A failed refresh keeps the stored media",
        label: "outcome",
        series: &[
            series("changed", "refreshes", "changed", |stats| stats.refreshes_modified),
            series("unchanged", "refreshes", "unchanged", |stats| stats.refreshes_unmodified),
            series("failed", "refreshes", "failed", |stats| stats.refresh_failures),
        ],
    },
    plain(
        "misses",
        "Requests for media that was not in the cache, or whose files could not be read",
        &[only_metric("", |stats| stats.misses)],
    ),
    plain(
        "coalesced",
        "Misses that shared a download or PUT in progress",
        &[series("", "downloads", "coalesced", |stats| stats.coalesced)],
    ),
    plain(
        "remembered_failures",
        "Misses that failed because of a remembered failure",
        &[series("", "downloads", "remembered_failures", |stats| stats.remembered_failures)],
    ),
    plain(
        "stored",
        "Bodies stored: for new entries from a download or PUT, or to replace the media of an existing entry",
        &[series("", "storage", "stored", |stats| stats.stored)],
    ),
    plain(
        "refused",
        "Media served but not stored because the policy did not admit it",
        &[series("", "storage", "refused", |stats| stats.refused)],
    ),
    plain(
        "oversize",
        "Media served but not stored because it exceeds the budget for all entries",
        &[series("", "storage", "oversize", |stats| stats.oversize)],
    ),
    plain(
        "no_store",
        "Media served but not stored because its origin forbids storing it",
        &[series("", "storage", "no_store", |stats| stats.no_store)],
    ),
    plain(
        "not_ready",
        "Media served but not stored because the directory was still being loaded",
        &[series("", "storage", "not_ready", |stats| stats.not_ready)],
    ),
    plain(
        "store_failures",
        "Media served but not stored because the disk failed, or because other files left no space for entries",
        &[series("", "storage", "failures", |stats| stats.store_failures)],
    ),
    plain(
        "damaged",
        "Entries dropped because a file was missing, truncated or damaged, except those found while the directory was loading",
        &[series("", "storage", "damaged", |stats| stats.damaged)],
    ),
    plain(
        "policy_shortfalls",
        "Entries that the cache itself chose to evict because the policy named too few victims",
        &[series("", "storage", "shortfalls", |stats| stats.policy_shortfalls)],
    ),
];
