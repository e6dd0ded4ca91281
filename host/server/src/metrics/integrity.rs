//! Metrics of the background integrity check, as of the last scrape.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use media_cache::IntegrityReport;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::encode::Encode;

/// The report as of the last scrape.
#[derive(Debug, Default)]
pub(crate) struct IntegrityMetrics(Mutex<Option<IntegrityReport>>);

impl IntegrityMetrics {
    /// Replaces the report.
    pub fn update(&self, report: IntegrityReport) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }
}

impl Collector for IntegrityMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(IntegrityReport { intact, bytes, damaged, unreadable, passes, last_pass }) = *report else { return Ok(()) };
        let checks = [("intact", intact), ("damaged", damaged), ("unreadable", unreadable)];
        encoder.counters(
            "integrity_checks",
            "Entries that the background integrity check has read, by outcome",
            "outcome",
            &checks,
        )?;
        encoder.counter(
            "integrity_checked_bytes",
            "Bytes of intact entries that the background integrity check has read",
            bytes,
        )?;
        encoder.counter(
            "integrity_passes",
            "Completed passes of the background integrity check over all entries. Entries in use are skipped until the next pass",
            passes,
        )?;
        let last = last_pass.and_then(|last| last.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let help = "When the background integrity check completed its last pass, in seconds since 1970; 0 before the first";
        encoder.gauge("integrity_last_pass_seconds", help, last.as_secs_f64())
    }
}
