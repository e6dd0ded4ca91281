//! `media-cache tier verify`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::{HumanBytes, ProgressBar};
use media_cache::Spool;
use media_cache_tier::{Contents, Fault, Inventory, TierEntry};
use serde_json::{Value, json};

use crate::output::OutputError;
use crate::tier_command::location::ConfiguredTier;
use crate::tier_command::subject::subject;
use crate::verify::DAMAGED;
use crate::{output, progress};

/// `media-cache tier verify`.
#[derive(Args)]
pub struct Verify {
    /// Delete damaged entries, whose media the services then download again, and leftovers
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
        let counts = counts.with_context(|| tier.failure())?;
        if self.json {
            output::json_value(&counts.document())?
        } else {
            counts.print(self.repair)?
        }
        Ok(if counts.damaged == counts.repaired { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
    }

    async fn verify(&self, inventory: &Inventory, bar: &ProgressBar) -> anyhow::Result<Counts> {
        let Contents { entries, old_objects, others, other_bytes } = inventory.contents().await?;
        let (entries, bodies): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.sidecar_bytes.is_some());
        // A younger body may belong to an upload in progress. In that case, it is neither intact nor a leftover.
        let leftovers: Vec<TierEntry> = bodies.into_iter().filter(TierEntry::is_leftover).collect();
        bar.set_length(entries.len() as u64);
        let mut counts = Counts {
            leftovers: (leftovers.len() + old_objects.len()) as u64,
            leftover_bytes: leftovers.iter().map(TierEntry::bytes).chain(old_objects.iter().map(|object| object.bytes)).sum(),
            others,
            other_bytes,
            ..Counts::default()
        };
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
            if fault == Fault::NoSidecar || was_changed(&inventory.media(entry.digest, &Spool::temporary()).await?) {
                continue;
            }
            counts.damaged += 1;
            let url = inventory.url(entry.digest).await?;
            if self.repair {
                inventory.remove(entry.digest).await?;
                counts.repaired += 1;
            }
            self.report(bar, entry, url.as_deref(), &fault)?;
        }
        if self.repair {
            inventory.remove_all(leftovers.iter().map(|body| body.digest).collect()).await?;
            inventory.delete(&old_objects).await?;
        }
        Ok(counts)
    }

    fn report(&self, bar: &ProgressBar, entry: TierEntry, url: Option<&str>, fault: &Fault) -> Result<(), OutputError> {
        let digest = entry.digest.to_string();
        let outcome = if self.repair { "; repaired" } else { "" };
        bar.suspend(|| match self.json {
            true => output::json_value(
                &json!({ "url": url, "key_digest": digest, "detail": fault.to_string(), "repaired": self.repair }),
            ),
            false => output::line(format_args!("damaged: {}: {fault}{outcome}", subject(url, &digest))),
        })
    }
}

/// Whether an entry was not damaged, but removed or replaced while it was read, according to a second look.
fn was_changed<T>(again: &Result<T, Fault>) -> bool {
    matches!(again, Ok(_) | Err(Fault::NoSidecar))
}

#[derive(Default)]
struct Counts {
    intact: u64,
    intact_bytes: u64,
    damaged: u64,
    repaired: u64,
    /// Objects that belong to no entry.
    leftovers: u64,
    leftover_bytes: u64,
    /// Objects that belong to no tier.
    others: u64,
    other_bytes: u64,
}

impl Counts {
    fn document(&self) -> Value {
        let Self { intact, intact_bytes, damaged, repaired, leftovers, leftover_bytes, others, other_bytes } = self;
        json!({
            "intact": intact, "intact_bytes": intact_bytes, "damaged": damaged, "repaired": repaired, "leftovers": leftovers,
            "leftover_bytes": leftover_bytes, "others": others, "other_bytes": other_bytes,
        })
    }

    fn print(&self, repair: bool) -> Result<(), OutputError> {
        output::line(format_args!("{} intact ({})", output::entries(self.intact), HumanBytes(self.intact_bytes)))?;
        for (count, what) in [(self.damaged, "damaged"), (self.repaired, "repaired")].into_iter().filter(|(count, _)| *count > 0) {
            output::line(format_args!("{count} {what}"))?;
        }
        if self.leftovers > 0 {
            let outcome = if repair { "deleted" } else { "`--repair` and `tier trim` delete them" };
            output::line(format_args!("leftovers: {} ({}); {outcome}", self.leftovers, HumanBytes(self.leftover_bytes)))?;
        }
        if self.others > 0 {
            let size = HumanBytes(self.other_bytes);
            output::line(format_args!(
                "objects that belong to no tier: {} ({size}); only the tools of the store delete them",
                self.others
            ))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_that_is_removed_or_replaced_while_it_is_read_is_not_damaged() {
        assert!(was_changed(&Ok(())) && was_changed::<()>(&Err(Fault::NoSidecar)));
        assert!(!was_changed::<()>(&Err(Fault::Private)) && !was_changed::<()>(&Err(Fault::Damaged("x".into()))));
    }
}
