//! The disk space of a service.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use media_cache::{Builder, Spool, spool_in};

use crate::min_free::MinFree;
use crate::storage::{DEFAULT_MAX_SIZE_MB, MEBIBYTE, MIB};

/// How much disk space a service may use.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct DiskSpace {
    /// The disk budget for all files of the cache, in MiB
    #[arg(long, value_name = "MB", default_value_t = NonZeroU64::new(DEFAULT_MAX_SIZE_MB).unwrap_or(NonZeroU64::MIN))]
    max_size_mb: NonZeroU64,
    /// The part of the budget that is reserved for everything except entries (large bodies that are arriving, the index, removed files that
    /// are still being read), in MiB [default: an eighth]
    #[arg(long, value_name = "MB")]
    reserved_mb: Option<u64>,
    /// Free space to leave on the file system, regardless of the budget: a size such as 2GB or a percentage such as 5%
    #[arg(long, value_name = "SIZE", default_value = "0")]
    min_free: MinFree,
    /// Where bodies of more than 4 MiB are stored as they arrive [default: in the cache's directory, within the budget]
    #[arg(long, value_name = "DIR")]
    spool_dir: Option<PathBuf>,
}

impl DiskSpace {
    /// The budget in MiB.
    pub fn max_size_mb(&self) -> NonZeroU64 {
        self.max_size_mb
    }

    /// Where large bodies are stored as they arrive, for a cache in this directory.
    pub fn spool(&self, directory: &Path) -> Arc<Spool> {
        match &self.spool_dir {
            Some(elsewhere) => Spool::new(elsewhere.clone(), self.min_free.0),
            None => spool_in(directory, self.min_free.0),
        }
    }

    /// Sets the budget and its reserved part.
    pub fn configure(&self, builder: Builder) -> Builder {
        let builder = builder.max_disk_bytes(self.max_size_mb.saturating_mul(MEBIBYTE)).min_free(self.min_free.0);
        match self.reserved_mb {
            Some(reserved) => builder.reserved_disk_bytes(reserved.saturating_mul(MIB)),
            None => builder,
        }
    }

    /// Checks that the options are consistent with each other, and that the spool directory is usable.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn check(&self) -> anyhow::Result<()> {
        let (budget, reserved) = (self.max_size_mb.get(), self.reserved_mb.unwrap_or(0));
        ensure!(
            reserved < budget,
            "--reserved-mb {reserved} must be less than --max-size-mb {budget}, or there is no space for entries"
        );
        if let Some(elsewhere) = &self.spool_dir {
            let spool = Spool::new(elsewhere.clone(), self.min_free.0);
            spool.check().with_context(|| format!("--spool-dir: cannot create a file in {}", elsewhere.display()))?;
        }
        Ok(())
    }
}
