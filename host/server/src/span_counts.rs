//! The interface through which the service reports on the spans that it sends, which is done elsewhere.

/// Counts the spans of traced requests.
pub trait SpanCounts: Send + Sync {
    /// The current counts. It must not block.
    fn report(&self) -> SpanReport;
}

/// The number of spans since the start of the service, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanReport {
    /// Those that the collector has accepted.
    pub sent: u64,
    /// Those that could not be sent.
    pub failed: u64,
    /// Those that ended while too many were waiting to be sent.
    pub dropped: u64,
}
