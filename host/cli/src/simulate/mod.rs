//! `media-cache simulate`: replays a trace.

mod cluster_options;
mod cluster_report;
mod command;
mod single_report;

pub use command::Simulate;
