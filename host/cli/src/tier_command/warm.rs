//! `media-cache tier warm`.

use std::cmp::Reverse;
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
use crate::tier_command::subject::subject;
use crate::{output, progress};

/// The number of entries that are received ahead.
const AHEAD: usize = 8;

/// After this many entries in a row that do not fit, the rest is not considered: it was used less recently, and hardly anything of it would
/// fit.
const MAX_SKIPPED: usize = 1000;

/// `media-cache tier warm`.
#[derive(Args)]
pub struct Warm {
    /// How much to copy, in MiB: the most recently used entries up to this size, without those that no longer fit
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
        let listed = list(&inventory).await.with_context(|| self.tier.failure())?;
        let count = listed.len();
        let chosen = fitting(listed, self.max_mb.saturating_mul(MIB));
        let did_not_fit = count - chosen.len();
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
            output::json_value(&json!({
                "stored": stored, "stored_bytes": stored_bytes, "known": known, "failed": failed, "did_not_fit": did_not_fit,
            }))?;
        } else {
            output::line(format_args!("stored {} ({})", output::entries(stored), HumanBytes(stored_bytes)))?;
            let others = [(known, "already stored"), (failed, "failed"), (did_not_fit as u64, "did not fit into --max-mb")];
            for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
                output::line(format_args!("{count} {what}"))?;
            }
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The complete entries, most recently used first.
async fn list(inventory: &Inventory) -> anyhow::Result<Vec<TierEntry>> {
    let last_used = inventory.last_used().await?;
    let mut entries = inventory.entries().await?;
    entries.retain(|entry| entry.sidecar_bytes.is_some() && entry.media_bytes.is_some());
    entries.sort_unstable_by_key(|entry| Reverse((last_used.hour(entry), entry.written, entry.digest)));
    Ok(entries)
}

/// The first entries that have this size together. One that is larger than what is left is skipped. Returned in reverse order.
fn fitting(entries: Vec<TierEntry>, max_bytes: u64) -> Vec<TierEntry> {
    let (mut chosen, mut left, mut skipped) = (Vec::new(), max_bytes, 0);
    for entry in entries {
        match left.checked_sub(entry.bytes()) {
            Some(rest) => {
                (left, skipped) = (rest, 0);
                chosen.push(entry);
            }
            None if skipped < MAX_SKIPPED => skipped += 1,
            None => break,
        }
    }
    chosen.reverse();
    chosen
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
        let (url, failure) = match media {
            Err(fault) => (inventory.url(entry.digest).await?, fault.to_string()),
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
                    Some(why) => (Some(url), describe(&why)),
                }
            }
        };
        counts.failed += 1;
        let subject = subject(url.as_deref(), &entry.digest.to_string());
        bar.suspend(|| output::problem(format_args!("{subject} was not copied: {failure}")));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use media_cache_entry_files::KeyDigest;

    use super::*;

    fn chosen(sizes: &[u64], max_bytes: u64) -> Vec<u64> {
        let entry = |size: &u64| TierEntry {
            digest: KeyDigest::of("a"),
            media_bytes: Some(*size),
            sidecar_bytes: Some(0),
            written: SystemTime::UNIX_EPOCH,
        };
        fitting(sizes.iter().map(entry).collect(), max_bytes).iter().map(TierEntry::bytes).collect()
    }

    #[test]
    fn entries_that_do_not_fit_are_skipped() {
        assert_eq!(chosen(&[50, 60, 30, 25, 20], 100), [20, 30, 50]);
        assert_eq!(chosen(&[101], 100), [0; 0]);
    }

    #[test]
    fn search_for_smaller_entries_ends_after_many_that_do_not_fit() {
        let skipped = vec![101; MAX_SKIPPED];
        assert_eq!(chosen(&[&skipped[..], &[1]].concat(), 100), [1]);
        assert_eq!(chosen(&[&skipped[..], &[101, 1]].concat(), 100), [0; 0]);
    }
}
