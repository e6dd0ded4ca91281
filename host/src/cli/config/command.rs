//! `media-cache config`: what the service would be told, without a service.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::Settings;
use super::show::document;
use crate::cli::serve::Serve;

/// What can be done with a configuration.
#[derive(Subcommand)]
pub enum Config {
    /// Print what `serve` would have with the same options, and where each value came from
    ///
    /// It is a file for --config that says the same. Contents of files, such as keys and tokens, are not shown, nor are credentials and
    /// query strings in URLs.
    Show(Box<Serve>),
}

impl Config {
    /// Does what was said.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(_) => print(&document(settings)),
        }
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads only the first lines has what they wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.context("cannot write to standard output").map(|()| ExitCode::SUCCESS),
    }
}
