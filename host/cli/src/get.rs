//! `media-cache get`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::HumanBytes;
use media_cache::{Blob, Source};

use crate::store_options::StoreOptions;

/// `media-cache get`.
#[derive(Args)]
pub struct Get {
    /// What to get
    url: String,
    /// Where to write the bytes; `-` or nothing for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    store: StoreOptions,
}

impl Get {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.output.filter(|file| file.as_os_str() != "-");
        if file.is_none() && std::io::stdout().is_terminal() {
            anyhow::bail!("these bytes are not for a terminal; say where they are to go with -o FILE, or with `-o - |`");
        }
        let (cache, bar) = self.store.open().await?;
        let got = cache.get_or_download(&self.url).await;
        bar.finish_and_clear();
        let media = got.with_context(|| format!("cannot get {}", self.url))?;
        let from = match media.source {
            Source::Origin => "downloaded",
            Source::Memory | Source::Disk => "from the cache",
        };
        eprintln!("{}, {}, {}, {from}", media.filename(), media.mimetype(), HumanBytes(media.body.len()));
        match &file {
            Some(file) => {
                let out = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
                write_all(&media.body, out).await.with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => write_all(&media.body, std::io::stdout().lock()).await.context("cannot write to standard output")?,
        }
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn write_all(body: &Blob, mut out: impl Write) -> std::io::Result<()> {
    let mut pieces = std::pin::pin!(body.stream(0..body.len()));
    while let Some(piece) = pieces.try_next().await? {
        out.write_all(&piece)?;
    }
    out.flush()
}
