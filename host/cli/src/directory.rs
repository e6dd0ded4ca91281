//! The directory of a cache, for commands that work on its files without a component.
//!
//! This module decides how these commands use the directory. Commands that only read it create nothing, take no lock, and can run while a
//! service uses the directory. Commands that write hold its lock.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use media_cache::{DirectoryLock, defaults};
use media_cache_attach::Claim;
use media_cache_maintenance::EntryDirectory;

use crate::config::ConfigurationFile;

/// The directory of a cache.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct CacheDirectory {
    #[command(flatten)]
    config: ConfigurationFile,
    /// The cache directory; commands that store something create it
    #[arg(long, value_name = "DIR", default_value = defaults::DIRECTORY)]
    pub dir: PathBuf,
}

/// Whether a directory is meant to be in a store, as in `s3://bucket`. Most commands need a directory of the file system.
pub fn is_store(directory: &str) -> bool {
    ["s3://", "gs://", "az://", "file://"].iter().any(|scheme| directory.starts_with(scheme))
}

impl CacheDirectory {
    /// Opens the directory for reading. It must exist and be the directory of a cache.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn existing(&self) -> anyhow::Result<EntryDirectory> {
        let directory = EntryDirectory::existing(&self.dir).context("no cache found; specify the cache directory with --dir")?;
        let unreadable = || format!("cannot list the directory {}", self.dir.display());
        let is_cache = DirectoryLock::is_in(&self.dir) || directory.has_entries().with_context(unreadable)?;
        anyhow::ensure!(is_cache, "no cache found in {}; specify the cache directory with --dir", self.dir.display());
        Ok(directory)
    }

    /// Opens the directory for writing, with its lock. It must exist and be the directory of a cache.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn owned(&self) -> anyhow::Result<(EntryDirectory, DirectoryLock)> {
        let directory = self.existing()?;
        Ok((directory, self.lock()?))
    }

    /// Opens the directory for adding entries, with its lock. It is created if it does not exist.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn created(&self) -> anyhow::Result<(EntryDirectory, DirectoryLock)> {
        let lock = self.lock()?;
        Ok((EntryDirectory::existing(&self.dir)?, lock))
    }

    fn lock(&self) -> anyhow::Result<DirectoryLock> {
        let lock = DirectoryLock::acquire(&self.dir)?;
        anyhow::ensure!(
            !Claim::is_made(&self.dir),
            "a service is starting in {}; try again when it has started",
            self.dir.display()
        );
        Ok(lock)
    }
}
