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
    Check(Box<Check>),
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

/// `media-cache config check`.
#[derive(Args)]
pub struct Check {
    /// Also contact the store of the second tier: read from it, and write a small object
    #[arg(long)]
    contact: bool,
    #[command(flatten)]
    configuration: Configuration,
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
            Self::Check(check) => return check.run(settings).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Check {
    async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let Self { contact, configuration: Configuration { json, serve } } = self;
        let mut problems = serve.problems().await;
        let mut contacted = None;
        // The timeout or the location may be one of the refused settings, which have their defaults here.
        if contact
            && settings.problems().is_empty()
            && let Some((tier, of_tier)) = serve.contact_tier().await
        {
            contacted = Some(tier);
            problems.extend(of_tier);
        }
        let found = problems.iter().map(|problem| format!("{problem:#}"));
        let problems: Vec<String> = settings.problems().iter().map(Into::into).chain(found).collect();
        if json {
            output::json_value(&json!({ "ok": problems.is_empty(), "problems": problems }))?;
            return Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let mut all = Problems::default();
        problems.into_iter().for_each(|problem| all.add(problem));
        all.none()?;
        match contacted {
            Some(tier) => output::line(format_args!("ok; the second tier {tier} can be read and written to"))?,
            None if contact => output::line("ok; there is no second tier to contact")?,
            None => output::line("ok")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
