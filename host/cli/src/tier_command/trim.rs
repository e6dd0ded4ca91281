//! `media-cache tier trim`.

use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::{StreamExt, stream};
use indicatif::HumanBytes;
use media_cache_tier::{Inventory, StoreFailure, TrimSummary, Trimmed};
use serde_json::json;

use crate::capacity::Capacity;
use crate::output;
use crate::tier_command::hours::{ago, seconds};
use crate::tier_command::location::ConfiguredTier;
use crate::tier_command::subject::subject;

/// The number of URLs that are read concurrently.
const URLS: usize = 16;

/// `media-cache tier trim`.
#[derive(Args)]
pub struct Trim {
    /// The maximum size of all entries afterwards, such as `500GB`
    #[arg(value_name = "SIZE")]
    size: Capacity,
    /// Print what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object for each deleted entry, and one with the counts at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tier: ConfiguredTier,
}

impl Trim {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let tier = &self.tier.tier;
        let inventory = tier.open()?;
        let plan = inventory.plan_trim(self.size.0).await.with_context(|| tier.failure())?;
        if self.dry_run || self.json {
            // The URLs are read first, since the sidecars are deleted as well.
            let urls = stream::iter(&plan.doomed).map(|trimmed| url(&inventory, trimmed)).buffered(URLS);
            let mut named = pin!(stream::iter(&plan.doomed).zip(urls));
            while let Some((trimmed, url)) = named.next().await {
                self.print(trimmed, url.with_context(|| tier.failure())?)?;
            }
        }
        if !self.dry_run {
            inventory.trim(&plan).await.with_context(|| tier.failure())?;
        }
        let TrimSummary { entries, bytes, deleted, deleted_bytes, leftovers, old_objects } = plan.summary;
        if self.json {
            output::json_value(&json!({
                "entries": entries, "bytes": bytes, "deleted": deleted, "deleted_bytes": deleted_bytes, "leftovers": leftovers,
                "old_objects": old_objects, "dry_run": self.dry_run,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let verb = if self.dry_run { "would be deleted" } else { "deleted" };
        output::line(format_args!("{} {verb} ({})", output::entries(deleted), HumanBytes(deleted_bytes)))?;
        if leftovers + old_objects > 0 {
            output::line(format_args!("{leftovers} bodies without a sidecar and {old_objects} old leases and lists {verb}"))?;
        }
        output::line(format_args!("{} left ({})", output::entries(entries), HumanBytes(bytes)))?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, trimmed: &Trimmed, url: Option<String>) -> Result<(), output::OutputError> {
        let hour = match trimmed {
            Trimmed::Entry(_, hour) => Some(*hour),
            Trimmed::Leftover(_) => None,
        };
        let (digest, size) = (trimmed.entry().digest.to_string(), trimmed.entry().bytes());
        if self.json {
            let used = hour.map(seconds);
            return output::json_value(&json!({ "url": url, "key_digest": digest, "bytes": size, "last_used": used }));
        }
        let used = hour.map_or_else(|| "body without a sidecar".into(), |hour| format!("last used: {}", ago(hour)));
        let size = HumanBytes(size).to_string();
        output::line(format_args!("{size:>10}  {used}  {}", subject(url.as_deref(), &digest)))
    }
}

/// The URL of an entry that has a sidecar.
async fn url(inventory: &Inventory, trimmed: &Trimmed) -> Result<Option<String>, StoreFailure> {
    match trimmed {
        Trimmed::Entry(entry, _) => inventory.url(entry.digest).await,
        Trimmed::Leftover(_) => Ok(None),
    }
}
