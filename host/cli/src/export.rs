//! `media-cache export`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache_maintenance::{EntryFilter, ExportEvent, Exporter};
use serde_json::json;

use crate::directory::CacheDirectory;
use crate::selection::Selection;
use crate::{output, progress, user_files};

/// The number of bytes to write at a time.
const BUFFER: usize = 256 << 10;

/// `media-cache export`.
#[derive(Args)]
pub struct Export {
    /// The archive to write; `-` for standard output
    file: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Continue an interrupted export, or add the missing entries to a complete archive
    #[arg(long)]
    resume: bool,
    /// Print the counts as a JSON object: on standard output if the archive is a file, otherwise on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    directory: CacheDirectory,
}

impl Export {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let directory = self.directory.existing()?;
        let filter = self.selection.filter().unwrap_or(EntryFilter::All);
        let is_printed = self.file.as_os_str() == "-";
        let archive = self.file.display();
        let bar = progress::entries();
        let mut observer = |event: ExportEvent<'_>| match event {
            ExportEvent::Listed(entries) => bar.set_length(entries),
            ExportEvent::Done => bar.inc(1),
            ExportEvent::Damaged(digest, damage) => {
                bar.suspend(|| output::problem(format_args!("{digest} is left out: {damage}")));
            }
        };
        let exported = if is_printed {
            anyhow::ensure!(!self.resume, "an export to standard output cannot be resumed; give a file");
            anyhow::ensure!(
                !output::is_terminal(),
                "refusing to write an archive to a terminal; give a file, or pipe it with `- |`"
            );
            Exporter::new(BufWriter::with_capacity(BUFFER, StandardOutput)).run(&directory, &filter, &mut observer)
        } else if self.resume && self.file.exists() {
            let opened = File::options().read(true).write(true).open(&self.file);
            let opened = opened.with_context(|| format!("cannot open {archive}"))?;
            let resumed = Exporter::resume(opened).with_context(|| format!("cannot continue {archive}"))?;
            resumed.run(&directory, &filter, &mut observer)
        } else {
            let file = create(&self.file)?;
            Exporter::new(BufWriter::with_capacity(BUFFER, file)).run(&directory, &filter, &mut observer)
        };
        bar.finish_and_clear();
        let summary = exported.with_context(|| format!("cannot export to {archive}"))?;
        let document = json!({
            "exported": summary.exported, "bytes": summary.bytes, "known": summary.known, "damaged": summary.damaged,
        });
        let text = format!("exported {} ({})", output::entries(summary.exported), HumanBytes(summary.bytes));
        let known = if summary.known > 0 { format!("; already in the archive: {}", summary.known) } else { String::new() };
        match (self.json, is_printed) {
            (true, true) => output::json_note(&document),
            (true, false) => output::json_value(&document)?,
            (false, true) => output::note(format_args!("{text}{known}")),
            (false, false) => output::line(format_args!("{text}{known}"))?,
        }
        Ok(if summary.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Creates the archive. An existing file is not overwritten.
fn create(file: &Path) -> anyhow::Result<File> {
    let is_archive = std::fs::metadata(file).is_ok_and(|there| there.is_file() && there.len() > 0);
    anyhow::ensure!(!is_archive, "{} already exists; use --resume to continue it", file.display());
    user_files::create_file(file).with_context(|| format!("cannot create {}", file.display()))
}

/// Standard output as a writer of bytes.
struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        output::raw(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
