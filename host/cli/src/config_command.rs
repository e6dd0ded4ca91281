//! `media-cache config`: what the service would be told, without a service.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::config::{Problems, Settings, document};
use crate::serve::Serve;

/// What can be done with a configuration.
#[derive(Subcommand)]
pub enum Config {
    /// Print what `serve` would have with the same options, and where each value came from
    ///
    /// It is a file for --config that says the same. Contents of files, such as keys and tokens, are not shown, nor are credentials and
    /// query strings in URLs.
    Show(Box<Serve>),
    /// Say whether `serve` could start with the same options: `ok`, or what is wrong
    ///
    /// Everything is tried that can be without listening and without touching the directory: the file, the components and the policy
    /// with its options, files with keys and tokens. The exit status is 1 if something is wrong.
    Check(Box<Serve>),
}

impl Config {
    /// Does what was said.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(_) => print(&document(settings)),
            Self::Check(serve) => {
                let mut problems = Problems::default();
                serve.problems().await.iter().for_each(|problem| problems.add(format!("{problem:#}")));
                problems.none()?;
                print("ok\n")
            }
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
