//! `media-cache get`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::HumanBytes;
use media_cache::{Blob, Media, Source};
use serde_json::{Value, json};

use crate::store_options::StoreOptions;
use crate::{output, user_files};

/// `media-cache get`.
#[derive(Args)]
pub struct Get {
    /// What to get
    url: String,
    /// Where to write the bytes; `-` or nothing for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Describe the media as a JSON object: on standard output if the bytes go to a file, otherwise on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreOptions,
}

impl Get {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.output.filter(|file| file.as_os_str() != "-");
        if file.is_none() && output::is_terminal() {
            anyhow::bail!("these bytes are not for a terminal; say where they are to go with -o FILE, or with `-o - |`");
        }
        let (cache, bar) = self.store.open().await?;
        let got = cache.get_or_download(&self.url).await;
        bar.finish_and_clear();
        let media = got.with_context(|| format!("cannot get {}", self.url))?;
        if self.json && file.is_none() {
            output::json_note(&document(&cache.key(&self.url), &media));
        } else if !self.json {
            output::note(description(&media));
        }
        let written = match &file {
            Some(file) => save(&media.body, file).await.with_context(|| format!("cannot write {}", file.display())),
            None => print(&media.body).await,
        };
        let document = document(&cache.key(&self.url), &media);
        cache.close().await?;
        written?;
        if self.json && file.is_some() {
            output::json_value(&document)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What was got, for people.
fn description(media: &Media) -> String {
    let from = match media.source {
        Source::Origin => "downloaded",
        Source::Memory | Source::Disk => "from the cache",
    };
    format!("{}, {}, {}, {from}", media.filename(), media.mimetype(), HumanBytes(media.body.len()))
}

/// What was got, for programs.
fn document(key: &str, media: &Media) -> Value {
    let source = match media.source {
        Source::Origin => "origin",
        Source::Memory => "memory",
        Source::Disk => "disk",
    };
    let (mimetype, filename) = (media.mimetype(), media.filename());
    json!({ "url": key, "mimetype": mimetype, "filename": filename, "size": media.body.len(), "source": source })
}

async fn save(body: &Blob, file: &Path) -> anyhow::Result<()> {
    let mut out: File = user_files::create_file(file)?;
    let mut pieces = std::pin::pin!(body.stream(0..body.len()));
    while let Some(piece) = pieces.try_next().await? {
        out.write_all(&piece)?;
    }
    Ok(out.flush()?)
}

async fn print(body: &Blob) -> anyhow::Result<()> {
    let mut pieces = std::pin::pin!(body.stream(0..body.len()));
    while let Some(piece) = pieces.try_next().await.context("cannot read the media")? {
        output::raw(&piece)?;
    }
    Ok(())
}
