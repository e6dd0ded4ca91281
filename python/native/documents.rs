//! The state of a cache as dictionaries. Their keys are those of the HTTP service.

use std::time::{SystemTime, UNIX_EPOCH};

use media_cache::{Listed, PolicyStatus, Stats, Status};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;

/// The values that admin pages show: the section `media_cache` of the service's `/stats`.
pub(crate) fn stats<'py>(py: Python<'py>, status: &Status) -> PyResult<Bound<'py, PyDict>> {
    let stats = &status.cache;
    let document = PyDict::new(py);
    document.set_item("total_entries", stats.entries)?;
    document.set_item("in_memory_entries", stats.resident_entries)?;
    document.set_item("total_bytes", stats.media_bytes)?;
    document.set_item("total_mb", mebibytes(stats.media_bytes))?;
    document.set_item("disk_bytes", stats.disk_bytes)?;
    document.set_item("max_disk_bytes", stats.max_disk_bytes)?;
    document.set_item("max_size_mb", mebibytes(stats.max_disk_bytes))?;
    document.set_item("max_entry_bytes", stats.max_entry_bytes)?;
    document.set_item("other_disk_bytes", stats.other_disk_bytes)?;
    document.set_item("memory_bytes", stats.memory_bytes)?;
    document.set_item("max_memory_bytes", stats.max_memory_bytes)?;
    document.set_item("max_memory_items", stats.max_memory_items)?;
    document.set_item("open_files", stats.open_files)?;
    document.set_item("max_open_files", stats.max_open_files)?;
    document.set_item("hits", stats.hits)?;
    document.set_item("disk_hits", stats.disk_hits)?;
    document.set_item("misses", stats.misses)?;
    document.set_item("hit_rate", hit_rate(stats))?;
    document.set_item("downloads", stats.downloads)?;
    document.set_item("download_failures", stats.download_failures)?;
    Ok(document)
}

/// The state of the eviction policy.
pub(crate) fn policy<'py>(py: Python<'py>, status: &PolicyStatus) -> PyResult<Bound<'py, PyDict>> {
    let options = PyDict::new(py);
    for (name, value) in &status.options {
        options.set_item(name, value)?;
    }
    let document = PyDict::new(py);
    document.set_item("name", &status.name)?;
    document.set_item("version", &status.version)?;
    document.set_item("doc", &status.doc)?;
    document.set_item("origin", status.origin.to_string())?;
    document.set_item("digest", &status.digest)?;
    document.set_item("options", options)?;
    document.set_item("since", seconds(status.since))?;
    document.set_item("calls", status.calls)?;
    document.set_item("seconds", status.time.as_secs_f64())?;
    document.set_item("memory_bytes", status.memory_bytes)?;
    document.set_item("rejected_ids", status.rejected_ids)?;
    document.set_item("swaps", status.swaps)?;
    document.set_item("fallbacks", status.fallbacks)?;
    document.set_item("previous", status.previous.as_ref().map(ToString::to_string))?;
    Ok(document)
}

/// An entry of a listing.
pub(crate) fn entry<'py>(py: Python<'py>, listed: &Listed) -> PyResult<Bound<'py, PyDict>> {
    let document = PyDict::new(py);
    document.set_item("url", &listed.url)?;
    document.set_item("mimetype", &listed.mimetype)?;
    document.set_item("filename", &listed.filename)?;
    document.set_item("size", listed.size)?;
    document.set_item("disk_size", listed.disk_size)?;
    document.set_item("stored_at", listed.stored_at as f64 / 1000.0)?;
    document.set_item("accessed_at", listed.accessed_at as f64 / 1000.0)?;
    document.set_item("hits", listed.hits)?;
    document.set_item("resident", listed.resident)?;
    Ok(document)
}

/// Converts bytes to mebibytes, rounded to two decimal places.
fn mebibytes(bytes: u64) -> f64 {
    round(bytes as f64 / MIB, 100.0)
}

/// The share of hits among all requests, rounded to four decimal places.
fn hit_rate(stats: &Stats) -> f64 {
    let requests = stats.hits + stats.misses;
    if requests == 0 { 0.0 } else { round(stats.hits as f64 / requests as f64, 10_000.0) }
}

fn round(number: f64, places: f64) -> f64 {
    (number * places).round() / places
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
