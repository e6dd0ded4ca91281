//! A gauge of what is in progress.

use prometheus_client::metrics::gauge::Gauge;

/// Counts an operation as in progress until it is dropped.
pub(crate) struct InProgress<'a>(&'a Gauge);

impl<'a> InProgress<'a> {
    pub fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
