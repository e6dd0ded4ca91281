//! `media-cache ls`.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use media_cache::MediaCache;
use media_cache_server::entry_document;

use crate::output;
use crate::storage::Storage;

/// The number of entries to list at a time.
const PAGE: u32 = 1000;

/// `media-cache ls`.
#[derive(Args)]
pub struct Ls {
    /// Print one JSON object per line, with all metadata
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: Storage,
}

impl Ls {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = self.storage.open_for_reading().await?;
        let listed = self.list(&cache).await;
        cache.close().await?;
        listed?;
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, cache: &MediaCache) -> anyhow::Result<()> {
        if !self.json {
            output::line(format_args!("{:>10}  {:>6}  {:<24}  URL", "SIZE", "HITS", "TYPE"))?;
        }
        let mut after = None;
        loop {
            let page = cache.entries(after, PAGE).await?;
            for entry in page.entries {
                if self.json {
                    output::json_value(&entry_document(&entry))?;
                } else {
                    let size = HumanBytes(entry.size).to_string();
                    output::line(format_args!("{size:>10}  {:>6}  {:<24}  {}", entry.hits, entry.mimetype, entry.url))?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
