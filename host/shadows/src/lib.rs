//! Shadow policies: what other eviction policies and budgets would have missed, measured while the cache serves.
//!
//! A shadow is a policy component that ranks the entries of simulated caches. It receives the requests that the policy of the cache receives,
//! off the path of hits, and decides as it would for a real cache. It has no capabilities, and a shadow that traps, exceeds a limit or
//! gives impossible answers is dropped and named.
//!
//! The shadows stay within an allowance of memory and of processor time. As long as that suffices, they simulate every request, and their
//! counts equal those of a replay of the same requests. Otherwise, they simulate a sample of the objects in caches that are scaled down
//! accordingly, and the figures have errors.

mod active;
mod advice;
mod auto;
mod cpu_allowance;
mod estimate;
mod feed;
mod figures;
mod misses;
mod numbers;
mod options;
mod recent_requests;
mod report;
mod sampling;
mod shadow;
mod shadow_set;
mod simulation;
mod sums;
mod window;
mod worker;

pub use active::Active;
pub use advice::Advice;
pub use auto::{AutoReport, AutoState, Decision, Switch};
pub use feed::Feed;
pub use options::{FACTORS, ShadowOptions};
pub use report::{
    Allowance, Bound, Capacity, Live, OpenWindow, Point, Report, Sampling, ShadowReport, ShadowState, Span, Totals, Used,
};
pub use sampling::SamplingRate;
pub use shadow_set::{Progress, ShadowSet};
pub use worker::{CurrentPolicy, OnProgress, Shadows};
