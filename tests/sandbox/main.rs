//! The library in its sandbox: the real component and the real policy in a temporary directory, with an origin and a transcoder
//! that do as they are told, and a clock that the tests turn. No network, no real time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

mod closing;
mod damage;
mod directory;
mod failures;
mod faults;
mod foreign;
mod format;
mod full_disk;
mod gif;
mod harness;
mod keys;
mod leaks;
mod limits;
mod lookup;
mod memory;
mod opening;
mod origin;
mod put;
mod restart;
mod single_flight;
mod snapshot;
mod workload;
