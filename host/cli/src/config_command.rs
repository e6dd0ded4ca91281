//! `media-cache config`: shows and checks the options of the service without starting it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::{self, Problems, Settings};
use crate::output;
use crate::serve::Serve;

/// The commands for the configuration.
#[derive(Subcommand)]
pub enum Config {
    /// Print the options that `serve` would use with the same arguments, and the source of each
    ///
    /// The output is an equivalent file for --config. It does not contain the contents of files, such as keys and tokens, nor credentials
    /// and query strings in URLs.
    Show(Box<Configuration>),
    /// Check whether `serve` could start with the same options: prints `ok`, or what is wrong
    ///
    /// It tries everything that is possible without listening and without touching the directory: the file, the components and the policy
    /// with its options, files with keys and tokens, the directory, the addresses, and the program that converts GIFs. The exit status is 1
    /// if something is wrong.
    Check(Box<Configuration>),
}

/// The options of `serve`, and the output format.
#[derive(Args)]
pub struct Configuration {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: Serve,
}

impl Config {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(shown) if shown.json => output::json_value(&config::json(settings))?,
            Self::Show(_) => output::lines(config::document(settings).lines())?,
            Self::Check(checked) => {
                let problems: Vec<_> = checked.serve.problems().await.iter().map(|problem| format!("{problem:#}")).collect();
                if checked.json {
                    output::json_value(&json!({ "ok": problems.is_empty(), "problems": problems }))?;
                    return Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                }
                let mut all = Problems::default();
                problems.into_iter().for_each(|problem| all.add(problem));
                all.none()?;
                output::line("ok")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
