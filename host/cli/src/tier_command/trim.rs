//! `media-cache tier trim`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache_tier::{TrimSummary, Trimmed};
use serde_json::json;

use crate::capacity::Capacity;
use crate::output;
use crate::tier_command::hours::{ago, seconds};
use crate::tier_command::location::ConfiguredTier;

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
        let mut printed = Ok(());
        let each = |trimmed| {
            if printed.is_ok() && (self.dry_run || self.json) {
                printed = self.print(trimmed);
            }
        };
        let summary = tier.open()?.trim(self.size.0, self.dry_run, each).await.with_context(|| tier.failure())?;
        printed?;
        let TrimSummary { entries, bytes, deleted, deleted_bytes, leftovers, old_objects } = summary;
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

    fn print(&self, trimmed: Trimmed) -> Result<(), output::OutputError> {
        let (entry, hour) = match trimmed {
            Trimmed::Entry(entry, hour) => (entry, Some(hour)),
            Trimmed::Leftover(entry) => (entry, None),
        };
        let (digest, size) = (entry.digest, entry.bytes());
        if self.json {
            return output::json_value(&json!({ "key_digest": digest.to_string(), "bytes": size, "last_used": hour.map(seconds) }));
        }
        match hour {
            Some(hour) => output::line(format_args!("{digest}  {:>10}  last used: {}", HumanBytes(size).to_string(), ago(hour))),
            None => output::line(format_args!("{digest}  {:>10}  body without a sidecar", HumanBytes(size).to_string())),
        }
    }
}
