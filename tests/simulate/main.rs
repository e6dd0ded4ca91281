//! Replays of traces: exact counts, by the library and by the command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

mod command;
mod command_errors;
mod counts;
mod generated;
mod oracles;
mod process;
mod references;
mod swap;
