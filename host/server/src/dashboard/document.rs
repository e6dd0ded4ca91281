//! The document that keeps the page up to date.

use std::time::SystemTime;

use media_cache::{CacheError, MediaCache};
use serde_json::{Value, json};

use crate::dashboard::curves::palette_document;
use crate::dashboard::{latencies, savings};
use crate::handlers::policy::policy_document;
use crate::handlers::stats::stats_document;
use crate::health_document::health_document;
use crate::metrics::requests::FirstBytes;
use crate::service::Service;
use crate::timestamp::seconds;

/// How many hosts the page shows.
const HOSTS: usize = 50;

/// Everything that the page shows, except the samples before the newest, the curves and the entries.
pub(crate) async fn document(service: &Service) -> Value {
    let (dashboard, metrics) = (service.dashboard(), service.metrics());
    let (counts, first_bytes) = (metrics.requests().media(), metrics.requests().first_bytes());
    let mut document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "at": seconds(SystemTime::now()),
        "since": seconds(dashboard.since),
        "samples": dashboard.newest_samples(),
        "sources": {
            "requests": counts.requests,
            "bytes": counts.bytes,
        },
        "savings": savings::document(&counts, &first_bytes),
        "latencies": latency_documents(service, &first_bytes),
        "downloads": metrics.downloads().hosts().document(HOSTS),
        "tier": service.tier().map(|tier| tier.report().document()),
        "shadows": service.shadows().map(|shadows| shadows.document()),
        "palette": palette_document(),
        "can_check": service.policy_check().is_some(),
        "cache": null,
    });
    if let Some(cache) = service.loaded_cache() {
        document["cache"] = cache_document(&cache).await.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        dashboard.observe_policy(&cache.policy(), None);
    }
    document["policy_changes"] = dashboard.policy_changes();
    document
}

fn latency_documents(service: &Service, first_bytes: &FirstBytes) -> Value {
    let downloads = service.metrics().downloads().durations().into_iter().reduce(|one, other| latencies::merged(one, &other));
    let rows = [
        ("hit in memory", Some(&first_bytes.memory)),
        ("hit on disk", Some(&first_bytes.disk)),
        ("miss", Some(&first_bytes.misses)),
        ("download", downloads.as_ref()),
    ];
    rows.into_iter().filter_map(|(name, histogram)| Some(latencies::document(name, histogram?))).collect()
}

async fn cache_document(cache: &MediaCache) -> Result<Value, CacheError> {
    let (status, health) = (cache.status().await?, cache.health().await?);
    Ok(json!({
        "stats": stats_document(&status, cache.load_report()),
        "health": health_document(cache, &health),
        "policy": policy_document(&cache.policy()),
    }))
}
