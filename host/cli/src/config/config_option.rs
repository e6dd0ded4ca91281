//! The option that names a configuration file.

use std::path::PathBuf;

use clap::Args;

/// The configuration file, for commands that take one.
#[derive(Args)]
pub struct ConfigurationFile {
    /// A TOML file with options, such as `max-size-mb = 500`; arguments and environment variables override it
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config: Option<PathBuf>,
}
