//! Traces.

#[path = "../../../host/src/simulate/line.rs"]
mod line;
#[path = "../../../host/src/simulate/trace.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod trace;
mod traces;

pub use traces::trace;
