//! Services that share a second tier: an object store in the test's process, or a directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod commands;
mod contact;
mod faults;
mod leases;
mod moto;
mod node;
mod outage;
mod removal;
mod sharing;
mod traces;
