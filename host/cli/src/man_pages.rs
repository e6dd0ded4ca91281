//! `media-cache man`: manual pages, written from the definition of the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;

use crate::output;
use crate::user_files::create_file;

/// The arguments of `man`.
#[derive(Args)]
pub struct ManPages {
    /// A directory, to which the pages of all commands are written; by default, the page of the program is printed
    dir: Option<PathBuf>,
}

impl ManPages {
    /// Prints the page of a program, or writes the pages of all its commands.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn run(&self, program: Command) -> anyhow::Result<()> {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        let Some(dir) = &self.dir else {
            output::raw(&page(&program)?)?;
            return Ok(());
        };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        for command in visible(&program) {
            let path = dir.join(Man::new(command.clone()).get_filename());
            let mut file = create_file(&path).with_context(|| format!("cannot write {}", path.display()))?;
            std::io::Write::write_all(&mut file, &page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// A command and all its subcommands, except hidden ones.
fn visible(command: &Command) -> Vec<&Command> {
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    std::iter::once(command).chain(subcommands.flat_map(visible)).collect()
}

/// The page of a command.
fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let source = format!("media-cache {}", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    Man::new(command.clone()).source(source).manual("media-cache").render(&mut page)?;
    Ok(page)
}
