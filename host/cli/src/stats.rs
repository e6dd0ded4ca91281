//! `media-cache stats`.

use std::process::ExitCode;

use clap::Args;
use media_cache_server::stats_document;

use crate::output;
use crate::storage::Storage;

/// `media-cache stats`.
#[derive(Args)]
pub struct Stats {
    /// Print the JSON object on one line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: Storage,
}

impl Stats {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = self.storage.open_for_reading().await?;
        let document = stats_document(&cache.status().await?, cache.load_report());
        cache.close().await?;
        if self.json {
            output::json_value(&document)?
        } else {
            output::json_document(&document)?
        }
        Ok(ExitCode::SUCCESS)
    }
}
