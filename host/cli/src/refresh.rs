//! `media-cache refresh`.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use serde_json::Value;

use crate::config::Settings;
use crate::output;
use crate::running_cache::RunningCacheOptions;

/// `media-cache refresh`.
#[derive(Args)]
pub struct Refresh {
    /// The URL to fetch again
    url: String,
    #[command(flatten)]
    cache: RunningCacheOptions,
}

impl Refresh {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = self.cache.connect(settings).await?;
        let refreshed = cache.refresh(&self.url).await;
        let closed = cache.close().await;
        output::document(&refreshed?, self.cache.json, describe)?;
        closed?;
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(refreshed: &Value) -> Vec<String> {
    let outcome = if refreshed["changed"] == true { "changed" } else { "unchanged" };
    let text = |key: &str| refreshed[key].as_str().unwrap_or_default();
    let size = HumanBytes(refreshed["size"].as_u64().unwrap_or(0));
    vec![format!("{outcome}: {}, {}, {size}", text("filename"), text("mimetype"))]
}
