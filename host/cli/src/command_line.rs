//! The definition of the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::component_command::Component;
use crate::config::{self, Settings};
use crate::config_command::Config;
use crate::export::Export;
use crate::get::Get;
use crate::import::Import;
use crate::ls::Ls;
use crate::open_file_limit::allocate_descriptor_table;
use crate::policy::{CompilePolicy, Policy};
use crate::put::Put;
use crate::refresh::Refresh;
use crate::rm::Rm;
use crate::serve::Serve;
use crate::sign::Sign;
use crate::simulate::Simulate;
use crate::stats::Stats;
use crate::verify::Verify;
use crate::version;

/// A cache for downloaded media: the same URL is never fetched twice.
///
/// Each entry is two files, {sha256 of the URL}.dat with the bytes and {sha256 of the URL}.json with what is known of them. GIFs are
/// stored as MP4.
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
    /// The address is the first line on standard output. Logs go to standard error. SIGTERM and Ctrl-C finish what is under way; a
    /// second one, at least a second later, does not wait for clients. SIGHUP reads the configuration file and the files with keys
    /// and tokens again.
    ///
    /// Options can also be in a file, see --config, and in the environment: MEDIA_CACHE_MAX_SIZE_MB is --max-size-mb, and so on.
    Serve(Box<Serve>),
    /// Sign a URL, so that a service with the same key answers it
    Sign(Sign),
    /// Get what is behind a URL, from the cache or else from the network
    Get(Get),
    /// Store a file for a URL
    Put(Put),
    /// Remove what is stored for URLs, for a host, or below a prefix
    Rm(Rm),
    /// Have a running service fetch the media of a URL again
    Refresh(Refresh),
    /// List what is stored, the least recently used first
    Ls(Ls),
    /// Say how much is stored
    Stats(Stats),
    /// Read all that is stored, and report what is damaged
    ///
    /// It changes nothing, unless --repair is given, and can run next to a service. The exit status is 0 if everything is intact, or was
    /// repaired, and 3 if something is damaged.
    Verify(Verify),
    /// Write what is stored into an archive
    ///
    /// The archive is a tar file with the two files of each entry. It can be written next to a running service. The exit status is 1 if
    /// damaged entries were left out.
    Export(Export),
    /// Store the entries of an archive, except those that are stored already
    ///
    /// An import that was interrupted continues when it is run again. The exit status is 1 if an entry could not be stored.
    Import(Box<Import>),
    /// Replay a trace of requests through eviction policies, and say what each would miss
    ///
    /// All policies run at all capacities, in the sandbox that they have in the service. The exit status is 1 if one of them breaks
    /// off; the others go on.
    Simulate(Simulate),
    /// Look at the eviction policy of a running service, replace it, and write one
    #[command(subcommand)]
    Policy(Policy),
    /// Look at the cache component of a running service, and replace it
    #[command(subcommand)]
    Component(Component),
    /// Compile a policy for a service, in a process of its own
    #[command(hide = true)]
    CompilePolicy(CompilePolicy),
    /// Look at the options that `serve` has from its file, its environment and its arguments
    #[command(subcommand)]
    Config(Config),
}

/// Runs the program with its arguments, its environment and its configuration.
///
/// # Errors
/// With a message for the user, or with a [`clap::Error`].
pub fn run() -> anyhow::Result<ExitCode> {
    let (cli, settings) = config::resolve::<Cli>(std::env::args_os(), std::env::vars_os())?;
    cli.run(settings)
}

/// The options of `serve` as they are now: with the same arguments and environment, and the current contents of the files.
///
/// # Errors
/// With a message for the user.
fn serve_options() -> anyhow::Result<(Serve, Settings)> {
    let (cli, settings) = config::resolve::<Cli>(std::env::args_os(), std::env::vars_os())?;
    match cli.command {
        Command::Serve(serve) => Ok((*serve, settings)),
        _ => anyhow::bail!("the arguments are not those of a service"),
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// With a message for the user.
    fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let command = match self.command {
            // It limits its memory, and the threads of a runtime need some.
            Command::CompilePolicy(compile) => return compile.run(),
            command => command,
        };
        if let Command::Serve(_) = &command {
            allocate_descriptor_table();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            match command {
                Command::CompilePolicy(compile) => compile.run(),
                Command::Serve(serve) => serve.run(settings, serve_options).await,
                Command::Sign(sign) => sign.run(),
                Command::Get(get) => get.run().await,
                Command::Put(put) => put.run().await,
                Command::Rm(rm) => rm.run(),
                Command::Refresh(refresh) => refresh.run().await,
                Command::Ls(ls) => ls.run().await,
                Command::Stats(stats) => stats.run().await,
                Command::Verify(verify) => verify.run(),
                Command::Export(export) => export.run(),
                Command::Import(import) => import.run().await,
                Command::Simulate(simulate) => simulate.run(),
                Command::Policy(policy) => policy.run().await,
                Command::Component(component) => component.run().await,
                Command::Config(config) => config.run(&settings).await,
            }
        });
        // A thread that waits for input must not delay the exit.
        runtime.shutdown_background();
        outcome
    }
}
