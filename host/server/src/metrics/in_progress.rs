//! A gauge of operations in progress.

use prometheus_client::metrics::gauge::Gauge;

/// Counts an operation as in progress until this is dropped.
pub(crate) struct InProgress(Gauge);

impl InProgress {
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}
