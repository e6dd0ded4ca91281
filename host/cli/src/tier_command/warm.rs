//! `media-cache tier warm`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{HumanBytes, ProgressBar};
use media_cache::{FreeSpaceFloor, Spool, describe, spool_in};
use media_cache_attach::SharedCache;
use media_cache_tier::{Inventory, TierEntry};
use serde_json::json;

use crate::config::Settings;
use crate::storage::{MIB, Storage};
use crate::tier_command::location::TierLocation;
use crate::{output, progress};

/// The number of entries that are received ahead.
const AHEAD: usize = 8;

/// `media-cache tier warm`.
#[derive(Args)]
pub struct Warm {
    /// How much to copy, in MiB: the most recently used entries up to this size
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    max_mb: u64,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tier: TierLocation,
    #[command(flatten)]
    storage: Storage,
}

#[derive(Default)]
struct Counts {
    stored: u64,
    stored_bytes: u64,
    known: u64,
    failed: u64,
}

impl Warm {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let inventory = self.tier.open()?;
        let chosen = choose(&inventory, self.max_mb.saturating_mul(MIB)).await.with_context(|| self.tier.failure())?;
        let (storage, max_mb, opening) = (Arc::new(self.storage), self.max_mb, progress::spinner());
        let spool = spool_in(storage.dir(), FreeSpaceFloor::default());
        let (of_builder, spool_of_builder) = (storage.clone(), spool.clone());
        let configure = move || Ok(of_builder.builder(of_builder.ample_budget(max_mb))?.spool(spool_of_builder.clone()));
        let cache = storage.open(settings, &opening, configure).await?;
        opening.finish_and_clear();
        let bar = progress::entries();
        bar.set_length(chosen.len() as u64);
        let counts = copy(&inventory, chosen, &cache, &spool, &bar).await;
        bar.finish_and_clear();
        let closed = cache.close().await;
        let Counts { stored, stored_bytes, known, failed } = counts.with_context(|| self.tier.failure())?;
        closed?;
        if self.json {
            output::json_value(&json!({ "stored": stored, "stored_bytes": stored_bytes, "known": known, "failed": failed }))?;
        } else {
            output::line(format_args!("stored {} ({})", output::entries(stored), HumanBytes(stored_bytes)))?;
            for (count, what) in [(known, "already stored"), (failed, "failed")].into_iter().filter(|(count, _)| *count > 0) {
                output::line(format_args!("{count} {what}"))?;
            }
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The most recently used entries up to this size. The most recently used one is the last.
async fn choose(inventory: &Inventory, max_bytes: u64) -> anyhow::Result<Vec<TierEntry>> {
    let last_used = inventory.last_used().await?;
    let mut entries = inventory.entries().await?;
    entries.retain(|entry| entry.sidecar_bytes.is_some() && entry.media_bytes.is_some());
    entries.sort_unstable_by_key(|entry| (last_used.hour(entry), entry.written, entry.digest));
    let mut left = max_bytes;
    let fits = |entry: &&TierEntry| match left.checked_sub(entry.bytes()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut chosen: Vec<TierEntry> = entries.iter().rev().take_while(fits).copied().collect();
    chosen.reverse();
    Ok(chosen)
}

/// Stores the entries one after the other, so that the cache ranks them in this order.
async fn copy(
    inventory: &Inventory,
    entries: Vec<TierEntry>,
    cache: &SharedCache,
    spool: &Arc<Spool>,
    bar: &ProgressBar,
) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    let mut received = stream::iter(entries)
        .map(|entry| async move { anyhow::Ok((entry, inventory.media(entry.digest, spool).await?)) })
        .buffered(AHEAD);
    while let Some((entry, media)) = received.try_next().await? {
        bar.inc(1);
        let failure = match media {
            Err(fault) => fault.to_string(),
            Ok((url, media)) => {
                let size = media.body.len();
                let outcome = cache.put(&url, media).await?;
                match outcome.not_stored {
                    None if outcome.known => {
                        counts.known += 1;
                        continue;
                    }
                    None => {
                        counts.stored += 1;
                        counts.stored_bytes += size;
                        continue;
                    }
                    Some(why) => describe(&why),
                }
            }
        };
        counts.failed += 1;
        bar.suspend(|| output::problem(format_args!("{} was not copied: {failure}", entry.digest)));
    }
    Ok(counts)
}
