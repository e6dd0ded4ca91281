//! Tests of caches that several processes share. Most use one process with several caches, which behave like those of several processes.
//! Those in [`processes`] start further processes and kill them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod attached;
mod claim;
mod downloads;
mod limits;
mod processes;
mod replaced;
mod shared;
mod takeover;
mod worker;
