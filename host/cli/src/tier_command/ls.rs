//! `media-cache tier ls`, and `media-cache ls --dir` with the location of a store.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::HumanBytes;
use media_cache_entry_files::Sidecar;
use media_cache_tier::{DEFAULT_TIMEOUT, Inventory, Location, TierEntry};
use serde_json::json;

use crate::output;
use crate::tier_command::hours::{ago, seconds};
use crate::tier_command::location::{ConfiguredTier, failure};

/// `media-cache tier ls`.
#[derive(Args)]
pub struct Ls {
    /// Print one JSON object per line, with all metadata
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tier: ConfiguredTier,
}

impl Ls {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let tier = &self.tier.tier;
        list(&tier.open()?, self.json).await.with_context(|| tier.failure())
    }
}

/// Lists the entries of the tier at a location.
///
/// # Errors
/// Returns an error with a message for the user.
pub async fn list_at(location: &str, json: bool) -> anyhow::Result<ExitCode> {
    let location: Location = location.parse().context("--dir")?;
    let inventory = Inventory::open(&location, DEFAULT_TIMEOUT).context("--dir")?;
    list(&inventory, json).await.with_context(|| failure(&location))
}

/// Lists the entries of a tier. The exit status is 1 if some could not be read.
///
/// # Errors
/// Returns an error with a message for the user.
async fn list(inventory: &Inventory, json: bool) -> anyhow::Result<ExitCode> {
    let last_used = inventory.last_used().await?;
    let mut entries = inventory.entries().await?;
    entries.retain(|entry| entry.sidecar_bytes.is_some());
    entries.sort_unstable_by_key(|entry| (last_used.hour(entry), entry.written, entry.digest));
    if !json {
        output::line(format_args!("{:>10}  {:<14}  {:<24}  URL", "SIZE", "LAST USED", "TYPE"))?;
    }
    let mut damaged = 0;
    let mut sidecars = inventory.sidecars(entries);
    while let Some((entry, sidecar)) = sidecars.try_next().await? {
        match sidecar {
            Ok(Some(sidecar)) if json => output::json_value(&document(&entry, &sidecar, last_used.hour(&entry)))?,
            Ok(Some(Sidecar { url, size, metadata, .. })) => {
                let (size, used, mimetype) = (HumanBytes(size).to_string(), ago(last_used.hour(&entry)), &metadata.mimetype);
                output::line(format_args!("{size:>10}  {used:<14}  {mimetype:<24}  {url}"))?;
            }
            // It was removed in the meantime.
            Ok(None) => {}
            Err(why) => {
                damaged += 1;
                output::problem(format_args!("{} is not listed: {why}", entry.digest));
            }
        }
    }
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn document(entry: &TierEntry, sidecar: &Sidecar, hour: u64) -> serde_json::Value {
    let metadata = &sidecar.metadata;
    json!({
        "url": sidecar.url,
        "key_digest": entry.digest.to_string(),
        "size": sidecar.size,
        "mimetype": metadata.mimetype,
        "filename": metadata.filename,
        "ts": media_cache_entry_files::seconds(metadata.stored_at),
        "last_used": seconds(hour),
        "bytes": entry.bytes(),
    })
}
