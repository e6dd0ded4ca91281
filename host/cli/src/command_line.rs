//! The definition of the command line.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::completions::Completions;
use crate::component_command::Component;
use crate::config::{self, Settings};
use crate::config_command::Config;
use crate::directory::is_store;
use crate::export::Export;
use crate::get::Get;
use crate::import::Import;
use crate::ls::Ls;
use crate::man_pages::ManPages;
use crate::open_file_limit::allocate_descriptor_table;
use crate::passed_sockets::PassedSockets;
use crate::policy::{CompilePolicy, Policy};
use crate::put::Put;
use crate::refresh::Refresh;
use crate::rm::Rm;
use crate::serve::Serve;
use crate::sign::Sign;
use crate::simulate::Simulate;
use crate::stats::Stats;
#[cfg(feature = "tier")]
use crate::tier_command::TierCommand;
use crate::verify::Verify;
use crate::version;

/// A cache for downloaded media: the same URL is never fetched twice.
///
/// Each entry has two files: {sha256 of the URL}.dat with the media, and {sha256 of the URL}.json with its metadata. GIFs are stored as
/// MP4.
#[derive(Parser)]
#[command(name = "media-cache", version = version::TEXT.as_str(), arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the HTTP service
    ///
    /// The first line on standard output is the address. Logs go to standard error. On SIGTERM or Ctrl-C, the service finishes requests in
    /// progress and exits; a second signal, at least a second later, ends the wait for clients. SIGHUP reloads the configuration file and
    /// the files with keys and tokens.
    ///
    /// Options can also be set in a file (see --config) and in the environment: MEDIA_CACHE_MAX_SIZE_MB is --max-size-mb, and so on.
    Serve(Box<Serve>),
    /// Sign a URL for a service that has the same key
    Sign(Sign),
    /// Get the media of a URL, from the cache or the network
    Get(Get),
    /// Store a file for a URL
    Put(Put),
    /// Remove entries by URL, host or prefix
    Rm(Rm),
    /// Make a running cache fetch a URL again
    Refresh(Refresh),
    /// List all entries, least recently used first
    Ls(Ls),
    /// Show how much is stored
    Stats(Stats),
    /// Read all entries, and report damage
    ///
    /// It changes nothing unless --repair is given, and can run while a service uses the directory. The exit status is 0 if everything is
    /// intact or was repaired, and 3 if something is damaged.
    Verify(Verify),
    /// Write all entries to an archive
    ///
    /// The archive is a tar file with the two files of each entry. It can be written while a service is running. The exit status is 1 if
    /// damaged entries were left out.
    Export(Export),
    /// Store the entries of an archive, except those that are already stored
    ///
    /// If an import is interrupted, run it again to continue it. The exit status is 1 if an entry could not be stored.
    Import(Box<Import>),
    /// Replay a trace of requests through eviction policies, and compare their misses
    ///
    /// Every policy runs at every capacity, in the same sandbox as in the service. The exit status is 1 if a policy fails; the other
    /// policies continue.
    Simulate(Simulate),
    /// Show, replace, test and create eviction policies
    #[command(subcommand)]
    Policy(Policy),
    /// Show and replace the cache component of a running service, and export the components
    #[command(subcommand)]
    Component(Component),
    /// List, check, trim and copy the entries in a second tier
    #[cfg(feature = "tier")]
    #[command(subcommand)]
    Tier(TierCommand),
    /// Compile a policy for a service, in a separate process
    #[command(hide = true)]
    CompilePolicy(CompilePolicy),
    /// Show and check the options of `serve` from all sources
    #[command(subcommand)]
    Config(Config),
    /// Print a script that completes commands and options in a shell
    ///
    /// For bash, for example: media-cache completions bash >/usr/share/bash-completion/completions/media-cache
    Completions(Completions),
    /// Print the manual page, or write the manual pages of all commands
    #[command(name = "man")]
    ManPages(ManPages),
}

/// Runs the program with its arguments, its environment and its configuration.
///
/// # Errors
/// Returns an error with a message for the user, or a [`clap::Error`].
pub fn run() -> anyhow::Result<ExitCode> {
    let (cli, settings) = config::resolve::<Cli>(std::env::args_os(), std::env::vars_os())?;
    cli.run(settings)
}

/// The options of `serve` from the same arguments and environment and the current contents of the files.
///
/// # Errors
/// Returns an error with a message for the user.
fn serve_options() -> anyhow::Result<(Serve, Settings)> {
    let (cli, settings) = config::resolve::<Cli>(std::env::args_os(), std::env::vars_os())?;
    match cli.command {
        Command::Serve(serve) => Ok((*serve, settings)),
        _ => anyhow::bail!("these are not the arguments of `serve`"),
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let command = match self.command {
            // This command limits its own memory, and the threads of a runtime would use up some of it.
            Command::CompilePolicy(compile) => return compile.run(),
            command => command,
        };
        let is_of_list = matches!(&command, Command::Ls(_)) && cfg!(feature = "tier");
        if let Some(directory) = settings.text("dir").filter(|directory| is_store(directory) && !is_of_list) {
            anyhow::bail!(
                "--dir {directory} is in a store, but this command needs a directory; `serve --tier` uses a store as a second tier, and \
                 `ls` and `tier` show what is in it"
            );
        }
        let mut sockets = PassedSockets::default();
        if let Command::Serve(_) = &command {
            allocate_descriptor_table();
            sockets = PassedSockets::take()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            match command {
                Command::CompilePolicy(compile) => compile.run(),
                Command::Serve(serve) => serve.run(settings, sockets, serve_options).await,
                Command::Sign(sign) => sign.run(),
                Command::Get(get) => get.run(&settings).await,
                Command::Put(put) => put.run(&settings).await,
                Command::Rm(rm) => rm.run(&settings).await,
                Command::Refresh(refresh) => refresh.run(&settings).await,
                Command::Ls(ls) => ls.run(&settings).await,
                Command::Stats(stats) => stats.run(&settings).await,
                Command::Verify(verify) => verify.run(),
                Command::Export(export) => export.run(),
                Command::Import(import) => import.run(&settings).await,
                Command::Simulate(simulate) => simulate.run(),
                Command::Policy(policy) => policy.run(&settings).await,
                #[cfg(feature = "tier")]
                Command::Tier(tier) => tier.run(&settings).await,
                Command::Component(component) => component.run().await,
                Command::Config(config) => config.run(&settings).await,
                Command::Completions(completions) => Ok(completions.run(&Self::command()).map(|()| ExitCode::SUCCESS)?),
                Command::ManPages(pages) => pages.run(Self::command()).map(|()| ExitCode::SUCCESS),
            }
        });
        // A thread that waits for input must not delay the exit.
        runtime.shutdown_background();
        outcome
    }
}
