//! The service and the command line from outside: the real binary, real files, and a real origin on the loopback interface. Every
//! test has an origin, a directory and a process of its own, on ports that the system picks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

mod admin;
mod budget;
mod client;
mod command_errors;
mod command_line;
mod conditions;
mod configuration;
mod connections;
mod crash;
mod errors;
mod files;
mod flights;
mod headers;
mod keys;
mod large;
mod logs;
mod loops;
mod media;
mod metrics;
mod names;
mod origin;
mod paths;
mod place;
mod policy;
mod process;
mod put_delete;
mod queue;
mod range;
mod raw;
mod readme;
mod restart;
mod scrape;
mod shutdown;
mod signed;
mod slow_clients;
mod start;
mod stats;
