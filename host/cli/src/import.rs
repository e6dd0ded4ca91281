//! `media-cache import`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache_maintenance::{Destination, DirectoryImport, ImportError, ImportEvent, ImportSummary, Limits, import};
use serde_json::json;

use crate::config::Settings;
use crate::directory::CacheDirectory;
use crate::ingest::BodyLimit;
use crate::service_import::ServiceImport;
use crate::service_option::ServiceOption;
use crate::storage::MIB;
use crate::{output, progress};

/// The number of bytes to read at a time.
const BUFFER: usize = 256 << 10;

/// `media-cache import`.
#[derive(Args)]
pub struct Import {
    /// The archive to import; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    service: ServiceOption,
    /// Print the counts as a JSON object
    #[arg(long)]
    json: bool,
    /// The disk budget, in MiB; entries that do not fit are not imported. Unlimited by default
    #[arg(long, value_name = "MB", help_heading = "Storage")]
    max_size_mb: Option<NonZeroU64>,
    #[command(flatten)]
    limit: BodyLimit,
    #[command(flatten)]
    directory: CacheDirectory,
}

impl Import {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Handle::current();
        // The import blocks on the archive, the disk and the service.
        let service = self.service.client(settings)?;
        tokio::task::spawn_blocking(move || match service {
            Some(service) => self.run_into(&mut ServiceImport::new(service, runtime)),
            None => {
                let (directory, _lock) = self.directory.created()?;
                let budget = self.max_size_mb.map(|budget| budget.get().saturating_mul(MIB));
                let unusable = || format!("cannot import into {}", self.directory.dir.display());
                let mut import = DirectoryImport::new(directory, budget).with_context(unusable)?;
                let imported = self.run_into(&mut import);
                import.sync().with_context(unusable)?;
                imported
            }
        })
        .await?
    }

    fn run_into(&self, destination: &mut dyn Destination) -> anyhow::Result<ExitCode> {
        let archive = self.file.display();
        let (input, length): (Box<dyn Read>, Option<u64>) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(&self.file).with_context(|| format!("cannot open {archive}"))?;
            let length = file.metadata().ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
            (Box::new(file), length)
        };
        let bar = progress::bytes(length);
        let mut input = bar.wrap_read(BufReader::with_capacity(BUFFER, input));
        let mut observer = |event: ImportEvent<'_>| {
            if let ImportEvent::Refused(name, why) = event {
                bar.suspend(|| output::problem(format_args!("{name} is not imported: {why}")));
            }
        };
        let limits = Limits { max_body_bytes: self.limit.bytes() };
        let (summary, ended) = import(&mut input, &limits, destination, &mut observer);
        bar.finish_and_clear();
        self.print(&summary)?;
        ended.map_err(|error| match error {
            ImportError::Archive(error) => anyhow::Error::from(error).context(format!("cannot import all of {archive}")),
            ImportError::Destination(why) => anyhow::anyhow!("the import ended early: {why}"),
        })?;
        Ok(if summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn print(&self, summary: &ImportSummary) -> anyhow::Result<()> {
        let ImportSummary { imported, bytes, known, kept, refused } = *summary;
        if self.json {
            let document = json!({ "imported": imported, "bytes": bytes, "known": known, "kept": kept, "refused": refused });
            return Ok(output::json_value(&document)?);
        }
        let mut text = format!("imported {} ({})", output::entries(imported), HumanBytes(bytes));
        for (count, what) in [(known, "already stored"), (kept, "kept with different bytes"), (refused, "not imported")] {
            if count > 0 {
                text += &format!("; {what}: {count}");
            }
        }
        Ok(output::line(text)?)
    }
}
