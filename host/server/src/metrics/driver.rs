//! Metrics of the driver thread, as of the last scrape.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use media_cache::SlicesSnapshot;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::durations::DurationsSnapshot;
use crate::metrics::encode::Encode;

/// The time slices of the driver thread, as of the last scrape.
#[derive(Debug, Default)]
pub(crate) struct DriverMetrics(Mutex<Vec<SlicesSnapshot>>);

impl DriverMetrics {
    /// Replaces the slices.
    pub fn update(&self, slices: Vec<SlicesSnapshot>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = slices;
    }
}

impl Collector for DriverMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let slices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slices.is_empty() {
            return Ok(());
        }
        let help = "Time the driver thread spends working without checking for new requests, by kind of work";
        let durations: Vec<_> = slices.iter().map(|slices| (slices.work, DurationsSnapshot(&slices.durations))).collect();
        encoder.histograms("driver_slice_seconds", help, "work", &durations)?;
        let longest: Vec<_> = slices.iter().map(|slices| (slices.work, slices.longest.as_secs_f64())).collect();
        encoder.gauges(
            "driver_slice_max_seconds",
            "Longest time since startup that the driver thread worked without checking for new requests, by kind of work",
            "work",
            &longest,
        )
    }
}
