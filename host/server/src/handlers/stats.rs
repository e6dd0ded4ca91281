//! `/stats`: the counters of the cache, as JSON.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use media_cache::{LoadReport, Stats, Status};
use serde_json::{Value, json};

use crate::cache_counters::COUNTERS;
use crate::health_document::health_document;
use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// `GET /stats`: the counters of the cache, its health, and the state of its policy. While the cache is not responding, the counters are
/// the last known ones.
pub(crate) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    let cache = service.cache().await?;
    let (status, health) = (cache.status().await?, cache.health().await?);
    let mut document = stats_document(&status, cache.load_report());
    document["health"] = health_document(&cache, &health);
    if let Some(tier) = service.tier() {
        document["tier"] = tier.report().document();
    }
    Ok(Json(document).into_response())
}

/// Converts bytes to mebibytes, rounded to two decimal places.
fn mebibytes(bytes: u64) -> f64 {
    round(bytes as f64 / 1_048_576.0, 100.0)
}

fn round(number: f64, places: f64) -> f64 {
    (number * places).round() / places
}

/// The share of hits among all requests, from 0 to 1, rounded to four decimal places. 0 if there were no requests.
fn hit_rate(stats: &Stats) -> f64 {
    let requests = stats.hits + stats.misses;
    if requests == 0 { 0.0 } else { round(stats.hits as f64 / requests as f64, 10_000.0) }
}

/// The counters of a cache as a JSON object, as in `/stats`. `load` is null while the directory is being loaded. The key `media_cache`
/// holds the values that admin pages poll.
#[must_use]
pub fn stats_document(status: &Status, report: Option<LoadReport>) -> Value {
    let Status { cache, component, policy, blob_handles, restarts } = status;
    let mut document = json!({
        "media_cache": {
            "total_entries": cache.entries,
            "in_memory_entries": cache.resident_entries,
            "total_bytes": cache.media_bytes,
            "total_mb": mebibytes(cache.media_bytes),
            "disk_bytes": cache.disk_bytes,
            "max_disk_bytes": cache.max_disk_bytes,
            "max_size_mb": mebibytes(cache.max_disk_bytes),
            "max_entry_bytes": cache.max_entry_bytes,
            "other_disk_bytes": cache.other_disk_bytes,
            "memory_bytes": cache.memory_bytes,
            "max_memory_bytes": cache.max_memory_bytes,
            "max_memory_items": cache.max_memory_items,
            "open_files": cache.open_files,
            "max_open_files": cache.max_open_files,
            "hits": cache.hits,
            "disk_hits": cache.disk_hits,
            "misses": cache.misses,
            "hit_rate": hit_rate(cache),
        },
        "downloads": { "succeeded": cache.downloads, "failed": cache.download_failures },
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "origin": policy.origin.to_string(),
            "calls": policy.calls,
            "seconds": policy.time.as_secs_f64(),
            "rejected_ids": policy.rejected_ids,
            "swaps": policy.swaps,
            "fallbacks": policy.fallbacks,
        },
        "component": {
            "name": component.current.name,
            "version": component.current.version,
            "origin": component.current.origin.to_string(),
            "blob_handles": blob_handles,
            "restarts": restarts,
            "swaps": component.swaps,
            "failed_swaps": component.failed_swaps,
        },
        "load": report.map(|report| json!({
            "entries": report.entries,
            "from_index": report.from_index,
            "leftovers": report.leftovers,
            "damaged": report.damaged,
            "evicted": report.evicted,
        })),
    });
    for series in COUNTERS.iter().flat_map(|counters| counters.series) {
        if let Some((section, key)) = series.stats {
            document[section][key] = (series.count)(cache).into();
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_two_places() {
        assert_eq!(mebibytes(500 << 20), 500.0);
        assert_eq!(mebibytes(1_234_567), 1.18);
    }
}
