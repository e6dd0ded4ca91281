//! What the shadows report: the figures of `GET /shadows`.

use serde::Serialize;

use crate::advice::Advice;
use crate::auto::AutoReport;

/// The state of all shadows. Times are seconds since 1970. Figures that need a closed window are `None` before there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether there are shadows.
    pub enabled: bool,
    /// Why there are none.
    pub why_not: Option<String>,
    /// What is to be minimised.
    pub objective: String,
    /// The limits of all shadows together.
    pub allowance: Allowance,
    /// What they use of it.
    pub used: Used,
    /// Which requests they simulate.
    pub sampling: Sampling,
    /// The window in progress.
    pub window: OpenWindow,
    /// The closed windows of the last six hours. The figures of the cache and of the shadows are for them.
    pub span: Option<Span>,
    /// The cache itself.
    pub live: Option<Live>,
    /// The simulated budgets.
    pub capacities: Vec<Capacity>,
    /// The lower bound on misses in the last closed window.
    pub bound: Vec<Bound>,
    /// The shadows.
    pub shadows: Vec<ShadowReport>,
    /// The policy that would have been better, if there is one.
    pub advice: Option<Advice>,
    /// The automatic choice of the policy, if it is on.
    pub auto: Option<AutoReport>,
}

/// The limits of all shadows together.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Allowance {
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The share of one core, in percent.
    pub cpu_percent: f64,
}

/// What the shadows use.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Used {
    /// Memory in bytes: that of the policies, of the simulated caches and of the windows.
    pub memory_bytes: u64,
    /// The share of one core in the last minute, in percent.
    pub cpu_percent: f64,
    /// The processor time since the start, in seconds.
    pub cpu_seconds: f64,
}

/// Which requests are simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Sampling {
    /// The share of objects in the sample; 1 for all.
    pub rate: f64,
    /// How often the rate has changed.
    pub changes: u64,
    /// Explanations for people.
    pub notes: Vec<String>,
}

/// The window in progress.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OpenWindow {
    /// Counted from 1.
    pub number: u64,
    /// The number of requests so far.
    pub requests: u64,
    /// The least number of requests in the window.
    pub target: u64,
    /// When it began.
    pub since: f64,
}

/// A span of closed windows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Span {
    /// The number of windows.
    pub windows: usize,
    /// The number of requests.
    pub requests: u64,
    /// The sum of their sizes, in bytes.
    pub requested_bytes: u64,
    /// Its duration, in seconds.
    pub seconds: f64,
    /// When it began.
    pub since: f64,
}

/// The figures of the cache in the span.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// The current policy with its options.
    pub policy: String,
    /// The capacity for entries, in bytes.
    pub capacity_bytes: u64,
    /// The number of stored entries.
    pub entries: u64,
    /// The number of misses.
    pub misses: u64,
    /// The sum of their sizes.
    pub missed_bytes: u64,
    /// How long clients waited for them, in milliseconds.
    pub missed_wait_ms: u64,
    /// The share of requests that were misses.
    pub object_miss_ratio: f64,
    /// The same, weighted by size.
    pub byte_miss_ratio: f64,
    /// The objective per request.
    pub objective: f64,
}

/// A simulated budget.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capacity {
    /// As a multiple of the cache's own capacity.
    pub factor: f64,
    /// In bytes.
    pub bytes: u64,
}

/// The lower bound at one capacity.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bound {
    /// As a multiple of the cache's own capacity.
    pub factor: f64,
    /// In bytes.
    pub capacity_bytes: u64,
    /// No policy has a lower share of misses.
    pub object_miss_ratio: f64,
    /// No policy has a lower share of missed bytes.
    pub byte_miss_ratio: f64,
}

/// The figures of a shadow.
#[derive(Clone, Debug, Serialize)]
pub struct ShadowReport {
    /// The policy with its options.
    pub policy: String,
    /// Whether its misses count.
    pub state: ShadowState,
    /// Why it was dropped.
    pub why: Option<String>,
    /// The memory that it uses, in bytes.
    pub memory_bytes: u64,
    /// Whether it is the policy of the cache.
    pub is_active: bool,
    /// By capacity.
    pub points: Vec<Point>,
}

/// The state of a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShadowState {
    /// Its misses count.
    Counting,
    /// Its simulated caches are still being filled. Its misses count from the next window on.
    Warming,
    /// It was dropped because of a fault.
    Dropped,
}

/// The figures of a shadow at one capacity, in the span, with the errors of the sample: half of the width of an interval that contains the
/// true value with a probability of 95 %. They are 0 if every request is simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// As a multiple of the cache's own capacity.
    pub factor: f64,
    /// In bytes.
    pub capacity_bytes: u64,
    /// The number of misses.
    pub misses: Option<f64>,
    /// The sum of their sizes.
    pub missed_bytes: Option<f64>,
    /// How long clients would have waited for them, in milliseconds.
    pub missed_wait_ms: Option<f64>,
    /// The share of requests that are misses.
    pub object_miss_ratio: Option<f64>,
    /// Its error.
    pub object_miss_ratio_error: Option<f64>,
    /// The same, weighted by size.
    pub byte_miss_ratio: Option<f64>,
    /// Its error.
    pub byte_miss_ratio_error: Option<f64>,
    /// The objective per request.
    pub objective: Option<f64>,
    /// Its error.
    pub objective_error: Option<f64>,
    /// What the simulated cache counted since the shadow started, or since the sampling rate changed.
    pub total: Totals,
}

/// The counts of a simulated cache, as `simulate` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests in the sample.
    pub requests: u64,
    /// The sum of their sizes.
    pub requested_bytes: u64,
    /// Misses.
    pub misses: u64,
    /// The sum of their sizes.
    pub missed_bytes: u64,
    /// The sum of the sizes of the objects stored.
    pub bytes_written: u64,
    /// Objects that were evicted.
    pub evictions: u64,
    /// Objects that are stored.
    pub entries: u64,
}
