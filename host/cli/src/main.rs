//! The command line: `media-cache serve` and the other commands. It contains no cache logic.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "print through `output`")]

mod access;
mod allocator;
mod announcement;
mod attach;
mod capacity;
mod checks;
mod command_line;
mod completions;
mod component_command;
mod component_export;
mod component_files;
mod config;
mod config_command;
mod connections;
mod directory;
mod directory_options;
mod disk_space;
mod download_queue;
mod durability;
mod engine;
mod export;
mod failure_memory;
mod file_budget;
mod get;
mod gif;
mod import;
mod ingest;
mod integrity_check;
mod key_rules;
mod listen_address;
mod listeners;
mod logging;
mod ls;
mod man_pages;
mod matrix;
mod memory;
mod metrics;
mod min_free;
mod notify;
mod observers;
mod open_file_limit;
mod outbound;
mod output;
mod passed_sockets;
mod plot_file;
mod policy;
mod policy_option;
mod progress;
mod put;
mod refresh;
mod reload;
mod remembered;
mod replaceable_downloader;
mod replayed_trace;
mod rm;
mod running_cache;
mod sandbox;
mod secrets;
mod selection;
mod serve;
mod server;
mod service_client;
mod service_import;
mod service_media;
mod service_option;
mod shadows;
mod shutdown;
mod shutdown_times;
mod sign;
mod signals;
mod simulate;
mod small_directory;
mod stats;
mod storage;
mod store_options;
mod table;
#[cfg_attr(not(feature = "tier"), path = "no_tier.rs")]
mod tier;
#[cfg(feature = "tier")]
mod tier_command;
#[cfg(feature = "tier")]
mod tier_copies;
#[cfg(feature = "tier")]
mod tier_timeout;
mod tls;
#[cfg_attr(not(feature = "opentelemetry"), path = "no_traces.rs")]
mod traces;
mod used_cache;
mod user_files;
mod verify;
mod version;
mod visible;

use std::process::ExitCode;

use crate::config::UsageError;
use crate::output::OutputError;

fn main() -> ExitCode {
    user_files::make_private();
    let code = run();
    output::flush_log();
    code
}

fn run() -> ExitCode {
    let error = match command_line::run() {
        Ok(code) => return code,
        Err(error) => error,
    };
    // A reader that stops early, such as `head`, has read all it needs.
    if matches!(error.downcast_ref(), Some(OutputError::Closed)) {
        return ExitCode::SUCCESS;
    }
    match error.downcast::<clap::Error>() {
        // Prints help and exits.
        Ok(help) => help.exit(),
        Err(error) => {
            output::problem(format_args!("{error:#}"));
            if error.is::<UsageError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
