//! `media-cache tier rm`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use media_cache_maintenance::EntryFilter;
use media_cache_tier::Inventory;

use crate::config::UsageError;
use crate::key_rules::KeyRuleOptions;
use crate::output;
use crate::selection::Selection;
use crate::tier_command::location::ConfiguredTier;

/// `media-cache tier rm`.
#[derive(Args)]
pub struct Rm {
    /// The URLs of the entries
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Confirm the removal of all entries
    #[arg(long, requires = "all")]
    yes: bool,
    #[command(flatten)]
    key_rules: KeyRuleOptions,
    #[command(flatten)]
    tier: ConfiguredTier,
}

impl Rm {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { urls, selection, yes, key_rules, tier } = self;
        let filter = selection.filter();
        if urls.is_empty() == filter.is_none() {
            return Err(UsageError::new("name either URLs, or one of --host, --prefix and --all".into()).into());
        }
        anyhow::ensure!(
            !matches!(filter, Some(EntryFilter::All)) || yes,
            "this would remove all entries in {}, also for other services; add --yes to confirm",
            tier.tier.location()
        );
        let inventory = tier.tier.open()?;
        let removed = match &filter {
            Some(filter) => inventory.remove_matching(filter).await.map_err(Into::into),
            None => remove(&inventory, &urls, &key_rules).await,
        };
        let removed = removed.with_context(|| tier.tier.failure())?;
        output::line(format_args!("removed {}", output::entries(removed)))?;
        Ok(if removed == 0 && filter.is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

async fn remove(inventory: &Inventory, urls: &[String], key_rules: &KeyRuleOptions) -> anyhow::Result<u64> {
    let mut removed = 0;
    for url in urls {
        match inventory.remove(key_rules.digest(url)).await? {
            true => removed += 1,
            false => output::problem(format_args!("nothing is stored for {url} in the second tier")),
        }
    }
    Ok(removed)
}
