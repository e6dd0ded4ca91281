//! The options of the commands that may store an entry: `get` and `put`.

use std::num::NonZeroU64;
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;
use media_cache::{Builder, Downloader, FreeSpaceFloor, spool_in};
use media_cache_attach::SharedCache;
use media_cache_http_downloader::{ConcurrencyLimiter, LimiterOptions, OriginConnections};

use crate::config::Settings;
use crate::durability::DurabilityOption;
use crate::ingest::Ingest;
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
    /// Opens the cache, or attaches to the process that owns it. `bar` shows the progress.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn open(self: &Arc<Self>, settings: &Settings, bar: &ProgressBar) -> anyhow::Result<SharedCache> {
        let store = self.clone();
        self.storage.open(settings, bar, move || store.builder()).await
    }

    fn builder(&self) -> anyhow::Result<Builder> {
        let budget = self.max_size_mb.unwrap_or_else(|| self.storage.ample_budget(self.ingest.room()));
        let builder = self.storage.builder(budget)?.spool(spool_in(self.storage.dir(), FreeSpaceFloor::default()));
        Ok(self.durability.configure(builder.shared_transcoder(self.ingest.transcoder())))
    }

    /// The downloader of this command. `bar` shows the progress.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn downloader(&self, bar: &ProgressBar) -> anyhow::Result<impl Downloader + use<>> {
        let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
        let spool = spool_in(self.storage.dir(), FreeSpaceFloor::default());
        self.ingest.downloader(spool, limiter, OriginConnections::default(), Some(bar.clone()), None)
    }
}
