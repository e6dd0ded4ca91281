//! `media-cache rm`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use media_cache::DirectoryLock;
use media_cache_entry_files::KeyDigest;
use media_cache_maintenance::{EntryDirectory, EntryFilter};
use serde_json::{Value, json};

use crate::config::{Settings, UsageError};
use crate::directory::CacheDirectory;
use crate::directory_options::key_in;
use crate::key_rules::KeyRuleOptions;
use crate::selection::Selection;
use crate::service_option::ServiceOption;
use crate::tier::{CopiesOption, TierCopies};
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
    #[command(flatten)]
    copies: CopiesOption,
}

impl Rm {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let Self { urls, selection, yes, json, service, directory, key_rules, copies } = self;
        let filter = selection.filter();
        let service = service.client(settings)?;
        if matches!(filter, Some(EntryFilter::All)) && !yes {
            let place =
                service.as_ref().map_or_else(|| directory.dir.display().to_string(), |service| service.address().to_string());
            anyhow::bail!("this would remove all entries in {place}; add --yes to confirm");
        }
        if service.is_none() && matches!(filter, Some(EntryFilter::All)) && settings.is_flag("tier") {
            let message = "--all leaves the second tier unchanged; use `media-cache tier rm --all` to remove what is in it";
            return Err(UsageError::new(message.into()).into());
        }
        let target = match service {
            Some(service) => Target::Used(UsedCache::Service(service)),
            None => Target::of(&directory, settings).await?,
        };
        let copies = match (&target, &filter) {
            // A service removes the copies itself.
            (Target::Used(UsedCache::Service(_)), _) => None,
            // Other services have entries there that this cache never had.
            (_, Some(EntryFilter::All)) => None,
            // A service with a tier removes the copy of a URL itself, and this command may not have its credentials.
            (Target::Used(UsedCache::Directory(cache)), None) if cache.has_copies() && !settings.is_flag("tier") => None,
            _ => copies.open()?,
        };
        let entries = Entries { target, copies, key_rules };
        match filter {
            Some(filter) => entries.remove_matching(&filter, json).await,
            None => {
                let code = entries.remove(&urls, json).await;
                let closed = entries.target.close().await;
                let code = code?;
                closed?;
                Ok(code)
            }
        }
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

    /// The digests of the entries that match.
    async fn matching(&self, filter: &EntryFilter) -> anyhow::Result<Vec<KeyDigest>> {
        match self {
            Self::Files(directory, _) => directory.matching(filter).with_context(|| cannot_list(directory)),
            Self::Used(cache) => {
                let mut matching = Vec::new();
                let note = |entry: &Value| {
                    matching.extend(entry["url"].as_str().filter(|url| filter.matches(url)).map(KeyDigest::of));
                    Ok(())
                };
                cache.for_each_entry(note).await?;
                Ok(matching)
            }
        }
    }

    /// Stops using the cache, or releases the directory.
    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Used(cache) => cache.close().await,
            Self::Files(..) => Ok(()),
        }
    }
}

fn cannot_list(directory: &EntryDirectory) -> String {
    format!("cannot list the directory {}", directory.path().display())
}

/// The entries that are removed, with their copies.
struct Entries {
    target: Target,
    copies: Option<TierCopies>,
    key_rules: KeyRuleOptions,
}

impl Entries {
    async fn remove(&self, urls: &[String], json: bool) -> anyhow::Result<ExitCode> {
        let (mut code, mut documents) = (ExitCode::SUCCESS, Vec::new());
        for url in urls {
            // If one entry cannot be removed, the other entries are still removed.
            let outcome = self.remove_one(url).await;
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

    /// Removes the copy first, so that the entry cannot return from it. Returns whether there was an entry or a copy.
    async fn remove_one(&self, url: &str) -> anyhow::Result<bool> {
        let had_copy = match &self.copies {
            Some(copies) => copies.remove(self.digest(url)).await,
            None => Ok(false),
        };
        let had_entry = match &self.target {
            Target::Files(directory, _) => directory.remove(self.key_rules.digest(url)).map_err(Into::into),
            Target::Used(cache) => cache.remove(url).await,
        };
        match (had_entry, had_copy) {
            (Ok(had_entry), Ok(had_copy)) => Ok(had_entry || had_copy),
            (Ok(true), Err(error)) => anyhow::bail!("the entry was removed, but {error:#}"),
            (Ok(false), Err(error)) => anyhow::bail!("there is no entry here, but {error:#}"),
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(of_copy)) => anyhow::bail!("{error:#}; {of_copy:#}"),
        }
    }

    fn digest(&self, url: &str) -> KeyDigest {
        match &self.target {
            Target::Used(UsedCache::Directory(cache)) => KeyDigest::of(&key_in(cache, url)),
            Target::Used(UsedCache::Service(_)) | Target::Files(..) => self.key_rules.digest(url),
        }
    }

    /// Removes the copies last, when neither the directory nor an upload in progress can replace them.
    async fn remove_matching(self, filter: &EntryFilter, json: bool) -> anyhow::Result<ExitCode> {
        let Self { target, copies, .. } = self;
        let mut code = ExitCode::SUCCESS;
        let matching = match &copies {
            Some(_) => target.matching(filter).await?,
            None => Vec::new(),
        };
        let (removed, failed) = match &target {
            Target::Files(directory, _) => {
                let removed = directory.remove_matching(filter, |error| {
                    output::problem(error);
                    code = ExitCode::FAILURE;
                });
                let summary = removed.with_context(|| cannot_list(directory))?;
                (summary.removed, summary.failed)
            }
            Target::Used(cache) => (cache.remove_matching(filter).await?, 0),
        };
        let closed = target.close().await;
        let removed_copies = match &copies {
            Some(copies) => copies.remove_each(matching).await.map(Some),
            None => Ok(None),
        };
        let removed_copies = removed_copies.unwrap_or_else(|error| {
            output::problem(format_args!("{error:#}"));
            code = ExitCode::FAILURE;
            None
        });
        closed?;
        if json {
            let mut document = json!({ "removed": removed, "failed": failed });
            if copies.is_some() {
                document["copies"] = json!(removed_copies);
            }
            output::json_value(&document)?;
            return Ok(code);
        }
        let of_copies = removed_copies.map_or_else(String::new, |copies| format!(", and {copies} in the second tier"));
        let of_failures = if failed > 0 { format!("; {failed} could not be removed") } else { String::new() };
        output::line(format_args!("removed {}{of_copies}{of_failures}", output::entries(removed)))?;
        Ok(code)
    }
}
