//! `media-cache rm`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use media_cache::DirectoryLock;
use media_cache_maintenance::{EntryDirectory, EntryFilter};
use serde_json::json;

use crate::config::Settings;
use crate::directory::CacheDirectory;
use crate::key_rules::KeyRuleOptions;
use crate::selection::Selection;
use crate::service_option::ServiceOption;
use crate::used_cache::UsedCache;
use crate::{attach, output};

/// `media-cache rm`.
#[derive(Args)]
pub struct Rm {
    /// The URLs to remove
    #[arg(required_unless_present_any = ["host", "prefix", "all"], conflicts_with_all = ["host", "prefix", "all"])]
    urls: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Confirm the removal of all entries
    #[arg(long, requires = "all")]
    yes: bool,
    /// Print a JSON object for each URL: whether something was removed, or why not. With a filter, print one object with counts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceOption,
    #[command(flatten)]
    directory: CacheDirectory,
    #[command(flatten)]
    key_rules: KeyRuleOptions,
}

impl Rm {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let Self { urls, selection, yes, json, service, directory, key_rules } = self;
        let filter = selection.filter();
        let service = service.client(settings)?;
        if matches!(filter, Some(EntryFilter::All)) && !yes {
            let place =
                service.as_ref().map_or_else(|| directory.dir.display().to_string(), |service| service.address().to_string());
            anyhow::bail!("this would remove all entries in {place}; add --yes to confirm");
        }
        let target = match service {
            Some(service) => Target::Used(UsedCache::Service(service)),
            None => Target::of(&directory, settings).await?,
        };
        let code = match filter {
            Some(filter) => target.remove_matching(&filter, json).await,
            None => target.remove(&urls, &key_rules, json).await,
        };
        let closed = match target {
            Target::Used(cache) => cache.close().await,
            Target::Files(..) => Ok(()),
        };
        let code = code?;
        closed?;
        Ok(code)
    }
}

/// What entries are removed from.
enum Target {
    /// The files in a directory that no other process uses.
    Files(EntryDirectory, #[expect(dead_code, reason = "releases the directory when it is dropped")] DirectoryLock),
    /// A cache that another process runs.
    Used(UsedCache),
}

impl Target {
    async fn of(directory: &CacheDirectory, settings: &Settings) -> anyhow::Result<Self> {
        directory.existing()?;
        if let Some(cache) = attach::to_owner(&directory.dir, settings).await? {
            return Ok(Self::Used(UsedCache::Directory(cache)));
        }
        let (directory, lock) = directory.owned()?;
        Ok(Self::Files(directory, lock))
    }

    async fn remove(&self, urls: &[String], key_rules: &KeyRuleOptions, json: bool) -> anyhow::Result<ExitCode> {
        let (mut code, mut documents) = (ExitCode::SUCCESS, Vec::new());
        for url in urls {
            // If one entry cannot be removed, the other entries are still removed.
            let outcome = match self {
                Self::Files(directory, _) => directory.remove(key_rules.digest(url)).map_err(Into::into),
                Self::Used(cache) => cache.remove(url).await,
            };
            let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
            documents.push(json!({ "url": url, "removed": matches!(outcome, Ok(true)), "error": error }));
            let problem = match outcome {
                Ok(true) => continue,
                Ok(false) => format!("nothing is stored for {url}"),
                Err(error) => format!("cannot remove {url}: {error:#}"),
            };
            output::problem(problem);
            code = ExitCode::FAILURE;
        }
        if json {
            documents.iter().try_for_each(output::json_value)?;
        }
        Ok(code)
    }

    async fn remove_matching(&self, filter: &EntryFilter, json: bool) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        let (removed, failed) = match self {
            Self::Files(directory, _) => {
                let removed = directory.remove_matching(filter, |error| {
                    output::problem(error);
                    code = ExitCode::FAILURE;
                });
                let summary = removed.with_context(|| format!("cannot list the directory {}", directory.path().display()))?;
                (summary.removed, summary.failed)
            }
            Self::Used(cache) => (cache.remove_matching(filter).await?, 0),
        };
        if json {
            output::json_value(&json!({ "removed": removed, "failed": failed }))?;
        } else if failed > 0 {
            output::line(format_args!("removed {}; {failed} could not be removed", output::entries(removed)))?;
        } else {
            output::line(format_args!("removed {}", output::entries(removed)))?;
        }
        Ok(code)
    }
}
