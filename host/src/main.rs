//! The command line: `media-cache serve` and its company. There is no logic of the cache in it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let error = match cli::run() {
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
