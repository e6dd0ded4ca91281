//! `media-cache tier verify`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::{HumanBytes, ProgressBar};
use media_cache::Spool;
use media_cache_tier::{Fault, Inventory};
use serde_json::json;

use crate::tier_command::location::ConfiguredTier;
use crate::verify::DAMAGED;
use crate::{output, progress};

/// `media-cache tier verify`.
#[derive(Args)]
pub struct Verify {
    /// Delete damaged entries; the services then download their media again
    #[arg(long)]
    repair: bool,
    /// Print a JSON object for each damaged entry, and one with the counts at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tier: ConfiguredTier,
}

impl Verify {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let tier = &self.tier.tier;
        let inventory = tier.open()?;
        let bar = progress::entries();
        let counts = self.verify(&inventory, &bar).await;
        bar.finish_and_clear();
        let Counts { intact, intact_bytes, damaged, repaired } = counts.with_context(|| tier.failure())?;
        if self.json {
            output::json_value(
                &json!({ "intact": intact, "intact_bytes": intact_bytes, "damaged": damaged, "repaired": repaired }),
            )?;
        } else {
            output::line(format_args!("{} intact ({})", output::entries(intact), HumanBytes(intact_bytes)))?;
            for (count, what) in [(damaged, "damaged"), (repaired, "repaired")].into_iter().filter(|(count, _)| *count > 0) {
                output::line(format_args!("{count} {what}"))?;
            }
        }
        Ok(if damaged == repaired { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
    }

    async fn verify(&self, inventory: &Inventory, bar: &ProgressBar) -> anyhow::Result<Counts> {
        let entries = inventory.entries().await?;
        bar.set_length(entries.len() as u64);
        let mut counts = Counts::default();
        let mut verified = inventory.verify(entries);
        while let Some((entry, found)) = verified.try_next().await? {
            bar.inc(1);
            let fault = match found {
                Ok(_) => {
                    counts.intact += 1;
                    counts.intact_bytes += entry.bytes();
                    continue;
                }
                Err(fault) => fault,
            };
            // It may be in the middle of an upload. In that case, it is neither intact nor damaged.
            if fault == Fault::NoSidecar && !entry.is_leftover()
                || inventory.media(entry.digest, &Spool::temporary()).await?.is_ok()
            {
                continue;
            }
            counts.damaged += 1;
            if self.repair {
                inventory.remove(entry.digest).await?;
                counts.repaired += 1;
            }
            let outcome = if self.repair { "; repaired" } else { "" };
            bar.suspend(|| match self.json {
                true => output::json_value(
                    &json!({ "key_digest": entry.digest.to_string(), "detail": fault.to_string(), "repaired": self.repair }),
                ),
                false => output::line(format_args!("damaged: {}: {fault}{outcome}", entry.digest)),
            })?;
        }
        Ok(counts)
    }
}

#[derive(Default)]
struct Counts {
    intact: u64,
    intact_bytes: u64,
    damaged: u64,
    repaired: u64,
}
