//! Replays of traces: exact counts from the library and from the command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod bound;
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
