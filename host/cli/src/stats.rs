//! `media-cache stats`.

use std::process::ExitCode;

use clap::Args;
use media_cache_server::stats_document;

use crate::storage::Storage;

/// `media-cache stats`.
#[derive(Args)]
pub struct Stats {
    #[command(flatten)]
    storage: Storage,
}

impl Stats {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = self.storage.open_for_reading().await?;
        let document = stats_document(&cache.status().await?, &cache.load_report());
        cache.close().await?;
        println!("{document:#}");
        Ok(ExitCode::SUCCESS)
    }
}
