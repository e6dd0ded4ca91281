//! `media-cache rm`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use media_cache_maintenance::{EntryDirectory, EntryFilter};
use serde_json::json;

use crate::directory::CacheDirectory;
use crate::key_rules::KeyRuleOptions;
use crate::output;
use crate::selection::Selection;

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
    directory: CacheDirectory,
    #[command(flatten)]
    key_rules: KeyRuleOptions,
}

impl Rm {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (directory, _lock) = self.directory.owned()?;
        let Self { urls, selection, yes, json, directory: CacheDirectory { dir, .. }, key_rules } = self;
        match selection.filter() {
            Some(EntryFilter::All) if !yes => {
                anyhow::bail!("this would remove all entries in {}; add --yes to confirm", dir.display())
            }
            Some(filter) => remove_matching(&directory, &filter, json),
            None => remove(&directory, &urls, &key_rules, json),
        }
    }
}

fn remove(directory: &EntryDirectory, urls: &[String], key_rules: &KeyRuleOptions, json: bool) -> anyhow::Result<ExitCode> {
    let (mut code, mut documents) = (ExitCode::SUCCESS, Vec::new());
    for url in urls {
        // If one entry cannot be removed, the other entries are still removed.
        let outcome = directory.remove(key_rules.digest(url));
        let error = outcome.as_ref().err().map(ToString::to_string);
        documents.push(json!({ "url": url, "removed": matches!(outcome, Ok(true)), "error": error }));
        let problem = match outcome {
            Ok(true) => continue,
            Ok(false) => format!("nothing is stored for {url}"),
            Err(error) => format!("cannot remove {url}: {error}"),
        };
        output::problem(problem);
        code = ExitCode::FAILURE;
    }
    if json {
        documents.iter().try_for_each(output::json_value)?;
    }
    Ok(code)
}

fn remove_matching(directory: &EntryDirectory, filter: &EntryFilter, json: bool) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let removed = directory.remove_matching(filter, |error| {
        output::problem(error);
        code = ExitCode::FAILURE;
    });
    let summary = removed.with_context(|| format!("cannot list the directory {}", directory.path().display()))?;
    if json {
        output::json_value(&json!({ "removed": summary.removed, "failed": summary.failed }))?;
    } else if summary.failed > 0 {
        output::line(format_args!("removed {} entries; {} could not be removed", summary.removed, summary.failed))?;
    } else {
        output::line(format_args!("removed {} entries", summary.removed))?;
    }
    Ok(code)
}
