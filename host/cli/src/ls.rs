//! `media-cache ls`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::HumanBytes;
use serde_json::Value;

use crate::config::Settings;
#[cfg(feature = "tier")]
use crate::directory::is_store;
use crate::output;
use crate::policy::text;
use crate::service_option::ServiceOption;
use crate::storage::Storage;
use crate::used_cache::UsedCache;

/// `media-cache ls`.
#[derive(Args)]
pub struct Ls {
    /// Print one JSON object per line, with all metadata
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceOption,
    #[command(flatten)]
    storage: Storage,
}

impl Ls {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        #[cfg(feature = "tier")]
        if let Some(store) = self.storage.dir().to_str().filter(|dir| is_store(dir)) {
            return crate::tier_command::list_at(store, self.json).await;
        }
        let cache = Arc::new(self.storage).used(&self.service, settings).await?;
        let listed = list(&cache, self.json).await;
        let closed = cache.close().await;
        listed?;
        closed?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(cache: &UsedCache, json: bool) -> anyhow::Result<()> {
    if json {
        return cache.for_each_entry(|entry| Ok(output::json_value(entry)?)).await;
    }
    let mut header = Some(format!("{:>10}  {:>6}  {:<24}  URL", "SIZE", "HITS", "TYPE"));
    let print = |entry: &Value| {
        header.take().map_or(Ok(()), output::line)?;
        let size = HumanBytes(entry["size"].as_u64().unwrap_or(0)).to_string();
        let (hits, mimetype, url) = (entry["hits"].as_u64().unwrap_or(0), text(&entry["mimetype"]), text(&entry["url"]));
        Ok(output::line(format_args!("{size:>10}  {hits:>6}  {mimetype:<24}  {url}"))?)
    };
    cache.for_each_entry(print).await?;
    // There are no entries.
    Ok(header.map_or(Ok(()), output::line)?)
}
