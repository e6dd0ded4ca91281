//! Tests of the library with the real components in a temporary directory, a scripted origin, a scripted transcoder and a manual clock.
//! They use neither the network nor real time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod budget;
mod cacheability;
mod call_downloader;
mod closing;
mod damage;
mod failures;
mod faults;
mod foreign;
mod format;
mod full_disk;
mod gif;
mod health;
mod index_log;
mod integrity;
mod keys;
mod leaks;
mod limits;
mod loading;
mod lookup;
mod memory;
mod names;
mod open_files;
mod opening;
mod outage;
mod put;
mod refresh;
mod refresh_failures;
mod refresh_recovery;
mod remove_matching;
mod restart;
mod single_flight;
mod small_disk;
mod special_files;
mod streaming;
mod unreadable;
mod workload;
