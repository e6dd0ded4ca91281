//! `media-cache ls`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache::MediaCache;
use media_cache_server::entry_document;

use crate::storage::Storage;

/// Entries that are listed at a time.
const PAGE: u32 = 1000;

/// `media-cache ls`.
#[derive(Args)]
pub struct Ls {
    /// One JSON object a line, with all there is to know
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
        // Whoever reads only the first lines has what they wanted.
        match listed.map_err(|error| error.downcast::<std::io::Error>()) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Ok(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(Ok(error)) => Err(error).context("cannot write to standard output"),
            Err(Err(error)) => Err(error),
        }
    }

    async fn list(&self, cache: &MediaCache) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if !self.json {
            writeln!(out, "{:>10}  {:>6}  {:<24}  URL", "SIZE", "HITS", "TYPE")?;
        }
        let mut after = None;
        loop {
            let page = cache.entries(after, PAGE).await?;
            for entry in page.entries {
                if self.json {
                    writeln!(out, "{}", entry_document(&entry))?;
                } else {
                    let size = HumanBytes(entry.size).to_string();
                    writeln!(out, "{size:>10}  {:>6}  {:<24}  {}", entry.hits, entry.mimetype, entry.url)?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
