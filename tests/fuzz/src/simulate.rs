//! Traces.

mod traces;

pub use traces::trace;
