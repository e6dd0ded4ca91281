//! `media-cache completions`: scripts that complete commands and options in a shell.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::output::{self, OutputError};

/// The arguments of `completions`.
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_parser = shells())]
    shell: Shell,
}

/// The shells, with another name for PowerShell: that of its program.
fn shells() -> impl TypedValueParser<Value = Shell> {
    const OTHER_NAME: &str = "pwsh";
    let values = Shell::value_variants().iter().filter_map(|shell| {
        let value = shell.to_possible_value()?;
        Some(if *shell == Shell::PowerShell { value.alias(OTHER_NAME) } else { value })
    });
    PossibleValuesParser::new(values.collect::<Vec<_>>()).try_map(|name| match &*name {
        OTHER_NAME => Ok(Shell::PowerShell),
        name => Shell::from_str(name, false),
    })
}

impl Completions {
    /// Prints the script for a program.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn run(&self, program: &Command) -> Result<(), OutputError> {
        let name = program.get_name().to_owned();
        // The generators do not omit hidden commands.
        let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
        let version = program.get_version().unwrap_or_default().to_owned();
        let mut shown = Command::new(name.clone()).version(version).args(program.get_arguments()).subcommands(commands);
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut shown, name, &mut script);
        output::raw(&script)
    }
}
