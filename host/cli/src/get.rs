//! `media-cache get`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::HumanBytes;
use media_cache::{Blob, Source};
use media_cache_entry_files::Metadata;
use media_cache_maintenance::StoredEntry;
use serde_json::{Value, json};

use crate::config::Settings;
use crate::directory_options::key_in;
use crate::service_media::ServedMedia;
use crate::service_option::ServiceOption;
use crate::store_options::StoreOptions;
use crate::{output, progress, user_files};

/// `media-cache get`.
#[derive(Args)]
pub struct Get {
    /// The URL of the media
    url: String,
    /// The file to write the media to; `-` or nothing for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Describe the media as a JSON object: on standard output if the media goes to a file, otherwise on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceOption,
    #[command(flatten)]
    store: StoreOptions,
}

impl Get {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let file = self.output.filter(|file| file.as_os_str() != "-");
        if file.is_none() && output::is_terminal() {
            anyhow::bail!(
                "refusing to write these bytes to a terminal; write them to a file with -o FILE, or pipe them with `-o - |`"
            );
        }
        let cannot_get = || format!("cannot get {}", self.url);
        if let Some(service) = self.service.client(settings)? {
            let bar = progress::spinner();
            let got = service.get(&self.url, &bar).await;
            bar.finish_and_clear();
            let ServedMedia { mimetype, filename, body, source } = got.with_context(cannot_get)?;
            return Got { key: self.url, mimetype, filename, body, source }.write(file.as_deref(), self.json).await;
        }
        // A stored entry is read from its files. The cache is opened only to download.
        if let Some(StoredEntry { sidecar, body, .. }) = self.store.storage.stored(&self.url) {
            let body = Blob::from_file(body.into()).with_context(|| format!("cannot read the stored entry of {}", self.url))?;
            let Metadata { mimetype, filename, .. } = Metadata::clone(&sidecar.metadata);
            return Got { key: sidecar.url, mimetype, filename, body, source: "disk" }.write(file.as_deref(), self.json).await;
        }
        let (store, bar) = (Arc::new(self.store), progress::spinner());
        let downloader = store.downloader(&bar)?;
        let cache = store.open(settings, &bar).await?;
        let got = match cache.get_or_download_with(&self.url, downloader).await {
            // Nothing is written until the media is complete.
            Ok(media) => media.finished().await.map(|()| media).map_err(Into::into),
            Err(error) => Err(error),
        };
        bar.finish_and_clear();
        let media = match got {
            Ok(media) => media,
            Err(error) => {
                // The first error is the one to report.
                let _ = cache.close().await;
                return Err(anyhow::Error::from(error).context(cannot_get()));
            }
        };
        let (mimetype, filename) = (media.mimetype().to_owned(), media.filename().to_owned());
        let source = match media.source {
            Source::Origin => "origin",
            Source::Copy => "tier",
            Source::Memory => "memory",
            Source::Disk => "disk",
        };
        let key = key_in(&cache, &self.url);
        let written = Got { key, mimetype, filename, body: media.body, source }.write(file.as_deref(), self.json).await;
        let closed = cache.close().await;
        let written = written?;
        closed?;
        Ok(written)
    }
}

/// The media and its source.
struct Got {
    key: String,
    mimetype: String,
    filename: String,
    body: Blob,
    source: &'static str,
}

impl Got {
    /// Writes the bytes, and describes them.
    async fn write(&self, file: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
        if json && file.is_none() {
            output::json_note(&self.document());
        } else if !json {
            output::note(self.description());
        }
        match file {
            Some(file) => save(&self.body, file).await.with_context(|| format!("cannot write {}", file.display()))?,
            None => print(&self.body).await?,
        }
        if json && file.is_some() {
            output::json_value(&self.document())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Describes the media for humans.
    fn description(&self) -> String {
        let from = match self.source {
            "origin" => "downloaded",
            "tier" => "from the second tier",
            _ => "from the cache",
        };
        format!("{}, {}, {}, {from}", self.filename, self.mimetype, HumanBytes(self.body.len()))
    }

    /// Describes the media for programs.
    fn document(&self) -> Value {
        let (url, mimetype, filename) = (&self.key, &self.mimetype, &self.filename);
        json!({ "url": url, "mimetype": mimetype, "filename": filename, "size": self.body.len(), "source": self.source })
    }
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
