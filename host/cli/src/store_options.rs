//! The options of the commands that may store an entry: `get` and `put`.

use std::num::NonZeroU64;

use clap::Args;
use indicatif::ProgressBar;
use media_cache::{FreeSpaceFloor, MediaCache, spool_in};
use media_cache_http_downloader::{ConcurrencyLimiter, LimiterOptions, OriginConnections};

use crate::durability::DurabilityOption;
use crate::ingest::Ingest;
use crate::progress;
use crate::storage::Storage;

/// The options of commands that may store an entry.
#[derive(Args)]
pub struct StoreOptions {
    /// The disk budget for all files of the cache, in MiB; by default, nothing is evicted
    #[arg(long, value_name = "MB", help_heading = "Storage")]
    max_size_mb: Option<NonZeroU64>,
    #[command(flatten)]
    pub storage: Storage,
    #[command(flatten)]
    durability: DurabilityOption,
    #[command(flatten)]
    pub ingest: Ingest,
}

impl StoreOptions {
    /// Opens the cache, with a progress bar for downloads.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn open(&self) -> anyhow::Result<(MediaCache, ProgressBar)> {
        let bar = progress::spinner();
        let builder = self.storage.builder(self.max_size_mb.unwrap_or_else(|| self.storage.ample_budget(self.ingest.room())))?;
        let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
        let spool = spool_in(self.storage.dir(), FreeSpaceFloor::default());
        let connections = OriginConnections::default();
        let downloader = self.ingest.downloader(spool.clone(), limiter, connections, Some(bar.clone()), None)?;
        let builder = builder.spool(spool).downloader(downloader);
        let builder = self.durability.configure(builder.shared_transcoder(self.ingest.transcoder()));
        Ok((self.storage.open(builder, &bar).await?, bar))
    }
}
