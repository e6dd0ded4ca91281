//! The command line: `media-cache serve` and the other commands. There is no logic of the cache in it.

mod access;
mod capacity;
mod command_line;
mod config;
mod config_command;
mod connections;
mod download_queue;
mod engine;
mod failure_memory;
mod get;
mod ingest;
mod key_rules;
mod listeners;
mod logging;
mod ls;
mod matrix;
mod memory;
mod metrics;
mod outbound;
mod policy;
mod put;
mod rm;
mod sandbox;
mod secrets;
mod serve;
mod sign;
mod simulate;
mod stats;
mod storage;
mod store_options;

use std::process::ExitCode;

fn main() -> ExitCode {
    let error = match command_line::run() {
        Ok(code) => return code,
        Err(error) => error,
    };
    match error.downcast::<clap::Error>() {
        // This is also how help ends.
        Ok(usage) => usage.exit(),
        Err(error) => {
            eprintln!("media-cache: {error:#}");
            ExitCode::FAILURE
        }
    }
}
