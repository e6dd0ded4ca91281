//! The metrics of a service, for Prometheus.
//!
//! There are three kinds of metrics: those recorded as events happen (requests, downloads, transcoding), those that the cache counts
//! itself and reports at each scrape, and those of the process, which come from the operating system. `docs/metrics.md` lists them all.
//!
//! Names follow the conventions of Prometheus: a prefix, base units, and `_total` for counters. Clients and origins cannot choose the
//! value of any label, so the number of time series is bounded: routes and outcomes come from fixed sets, and a host is counted under a
//! class.

mod cache;
mod certificate;
mod connections;
mod downloads;
mod driver;
mod durations;
mod encode;
pub(crate) mod exposition;
mod health;
mod host_table;
mod in_progress;
mod integrity;
mod log;
mod measured;
mod origin_connections;
mod process;
mod queue;
pub(crate) mod registry;
pub(crate) mod requests;
mod spans;
mod tier;
mod transcodes;

pub use exposition::Format;
pub use measured::Measured;
pub use registry::Metrics;
