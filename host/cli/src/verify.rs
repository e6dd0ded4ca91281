//! `media-cache verify`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use clap::Args;
use indicatif::{HumanBytes, ProgressBar};
use media_cache_maintenance::{Damage, Finding, Observer, Outcome, Summary, VerifyOptions, verify};
use serde_json::{Value, json};

use crate::capacity::Capacity;
use crate::directory::CacheDirectory;
use crate::output::{self, OutputError};
use crate::progress;

/// The exit status if something is damaged and was not repaired.
pub const DAMAGED: u8 = 3;

/// The maximum number of threads. More would not read a disk faster.
const MAX_THREADS: usize = 64;

/// The default number of threads, if there are enough processors.
const DEFAULT_THREADS: usize = 4;

/// `media-cache verify`.
#[derive(Args)]
pub struct Verify {
    /// Delete damaged entries, and files that belong to no entry. No service may be using the directory
    #[arg(long)]
    repair: bool,
    /// The maximum amount to read per second, such as `20MiB`; unlimited by default
    #[arg(long, value_name = "SIZE")]
    max_rate: Option<Capacity>,
    /// The maximum number of files that are read concurrently, up to 64; by default, one per processor, and at most 4
    #[arg(long, value_name = "N", value_parser = threads)]
    jobs: Option<NonZeroUsize>,
    /// Print a JSON object for each finding, and one with the counts at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    directory: CacheDirectory,
}

/// Prints findings while a bar shows the progress.
struct Report {
    bar: ProgressBar,
    json: bool,
    /// The first failure to print.
    failed: Mutex<Option<OutputError>>,
}

impl Verify {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (directory, _lock) = match self.repair {
            true => self.directory.owned().map(|(directory, lock)| (directory, Some(lock)))?,
            false => (self.directory.existing()?, None),
        };
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.jobs.unwrap_or_else(|| processors.min(NonZeroUsize::new(DEFAULT_THREADS).unwrap_or(processors)));
        let max_rate = self.max_rate.and_then(|rate| NonZeroU64::new(rate.0));
        let report = Report { bar: progress::entries(), json: self.json, failed: Mutex::default() };
        let checked = verify(&directory, &VerifyOptions { threads, max_rate, repair: self.repair }, &report);
        report.bar.finish_and_clear();
        let summary = checked.with_context(|| format!("cannot list the directory {}", directory.path().display()))?;
        let failed = report.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let printed = failed.map_or_else(|| print_summary(&summary, self.json), Err);
        match printed {
            // The exit status matters even if the reader has closed the output.
            Ok(()) | Err(OutputError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        let is_intact = summary.findings() == summary.repaired;
        Ok(if is_intact { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
    }
}

impl Observer for Report {
    fn listed(&self, entries: u64) {
        self.bar.set_length(entries);
    }

    fn checked(&self) {
        self.bar.inc(1);
    }

    fn found(&self, finding: &Finding) {
        let printed = self.bar.suspend(|| match self.json {
            true => output::json_value(&document(finding)),
            false => output::line(describe(finding)),
        });
        if let Err(error) = printed {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

/// Describes a finding for humans.
fn describe(finding: &Finding) -> String {
    let what = kind(&finding.damage);
    let subject = finding.url.as_deref().map_or_else(|| finding.name.clone(), |url| format!("{url} ({})", finding.name));
    let outcome = match &finding.outcome {
        Outcome::Kept => String::new(),
        Outcome::Repaired => "; repaired".into(),
        Outcome::Failed(error) => format!("; not repaired: {error}"),
    };
    format!("{what}: {subject}: {}{outcome}", finding.damage)
}

fn kind(damage: &Damage) -> &'static str {
    match damage {
        Damage::Unreadable { .. } => "unreadable",
        damage if damage.is_orphan() => "orphan",
        _ => "damaged",
    }
}

/// Describes a finding for programs.
fn document(finding: &Finding) -> Value {
    let (repaired, error) = match &finding.outcome {
        Outcome::Kept => (false, None),
        Outcome::Repaired => (true, None),
        Outcome::Failed(error) => (false, Some(error.to_string())),
    };
    json!({
        "name": finding.name,
        "url": finding.url,
        "kind": kind(&finding.damage),
        "problem": finding.damage.code(),
        "detail": finding.damage.to_string(),
        "bytes": finding.bytes,
        "repaired": repaired,
        "error": error,
    })
}

fn print_summary(summary: &Summary, json: bool) -> Result<(), OutputError> {
    let Summary { intact, intact_bytes, damaged, damaged_bytes, orphans, orphan_bytes, unreadable, repaired } = *summary;
    if json {
        return output::json_value(&json!({
            "intact": intact, "intact_bytes": intact_bytes, "damaged": damaged, "damaged_bytes": damaged_bytes, "orphans": orphans,
            "orphan_bytes": orphan_bytes, "unreadable": unreadable, "repaired": repaired,
        }));
    }
    output::line(format_args!("{} intact ({})", output::entries(intact), HumanBytes(intact_bytes)))?;
    for (count, bytes, what) in [(damaged, damaged_bytes, "damaged"), (orphans, orphan_bytes, "orphans")] {
        if count > 0 {
            output::line(format_args!("{count} {what} ({})", HumanBytes(bytes)))?;
        }
    }
    for (count, what) in [(unreadable, "unreadable"), (repaired, "repaired")] {
        if count > 0 {
            output::line(format_args!("{count} {what}"))?;
        }
    }
    Ok(())
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads: Option<NonZeroUsize> = text.parse().ok();
    threads.filter(|threads| threads.get() <= MAX_THREADS).ok_or_else(|| format!("it must be a number from 1 to {MAX_THREADS}"))
}
