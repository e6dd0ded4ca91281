//! The service and the command line from outside: the real binary, real files, and a real origin on the loopback interface. Every
//! test has its own origin, directory and process, on free ports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod active_content;
mod admin;
mod budget;
mod cache_tests;
mod coalescing;
mod command_errors;
mod command_line;
mod compiling;
mod conditions;
mod configuration;
mod connections;
mod cors;
mod crash;
mod errors;
mod gif;
mod headers;
mod health;
mod http_rules;
mod json_output;
mod keys;
mod large;
mod listen;
mod log_readers;
mod logs;
mod loops;
mod media;
mod metrics;
mod names;
mod notify;
mod only_if_cached;
mod origin_cache_control;
mod origin_headers;
mod paths;
mod pipes;
mod policy;
mod private_files;
mod prometheus;
mod proxies;
mod put_delete;
mod queue;
mod range;
mod readme;
mod refresh;
mod reload;
mod restart;
mod scrape;
mod shutdown;
mod signed;
mod slow_clients;
mod start;
mod stats;
mod terminals;
mod usage;
