//! Replays of traces: exact counts from the library and from the command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod balancers;
mod bound;
mod cluster;
mod cluster_command;
mod cluster_reference;
mod command;
mod command_errors;
mod counts;
mod exhaustive;
mod generated;
mod hazard;
mod objective;
mod oracles;
mod process;
mod references;
mod swap;
mod tune;
