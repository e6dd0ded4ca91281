//! The directory of a cache, for commands that work on its files and need no component.
//!
//! This module decides how these commands use the directory: commands that only read take it as it is, even next to a running service, and
//! create nothing; commands that write hold its lock.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use media_cache::{DirectoryLock, defaults};
use media_cache_maintenance::EntryDirectory;

use crate::config::ConfigurationFile;

/// The directory of a cache.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct CacheDirectory {
    #[command(flatten)]
    config: ConfigurationFile,
    /// The directory with the entries; commands that store something make it if it is not there
    #[arg(long, value_name = "DIR", default_value = defaults::DIRECTORY)]
    pub dir: PathBuf,
}

impl CacheDirectory {
    /// Opens the directory for reading. It must exist and be the directory of a cache.
    ///
    /// # Errors
    /// With a message for the user.
    pub fn existing(&self) -> anyhow::Result<EntryDirectory> {
        let directory = EntryDirectory::existing(&self.dir).context("no cache was found, and --dir names its directory")?;
        let unreadable = || format!("cannot list the directory {}", self.dir.display());
        let is_cache = DirectoryLock::is_in(&self.dir) || directory.has_entries().with_context(unreadable)?;
        anyhow::ensure!(is_cache, "there is no cache in {}; --dir says where one is", self.dir.display());
        Ok(directory)
    }

    /// Opens the directory for writing, with its lock. It must exist and be the directory of a cache.
    ///
    /// # Errors
    /// With a message for the user.
    pub fn owned(&self) -> anyhow::Result<(EntryDirectory, DirectoryLock)> {
        let directory = self.existing()?;
        Ok((directory, DirectoryLock::acquire(&self.dir)?))
    }

    /// Opens the directory for adding entries, with its lock. It is created if it does not exist.
    ///
    /// # Errors
    /// With a message for the user.
    pub fn created(&self) -> anyhow::Result<(EntryDirectory, DirectoryLock)> {
        let lock = DirectoryLock::acquire(&self.dir)?;
        Ok((EntryDirectory::existing(&self.dir)?, lock))
    }
}
