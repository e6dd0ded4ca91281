//! The command line: `media-cache serve` and its company. There is no logic of the cache in it.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cli::Cli::parse();
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("media-cache: {error:#}");
            ExitCode::FAILURE
        }
    }
}
