//! `media-cache put`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache::Blob;
use media_cache_http_downloader::{clean_filename, filename_for, media_type};
use url::Url;

use crate::store_options::StoreOptions;

/// `media-cache put`.
#[derive(Args)]
pub struct Put {
    /// What to store the file for
    url: String,
    /// The file; `-` for standard input
    file: PathBuf,
    /// The media type; unless it is given it is guessed from the bytes
    #[arg(long = "type", value_name = "TYPE")]
    mimetype: Option<String>,
    /// The file name to store; unless it is given it is that of the file, or taken from the URL
    #[arg(long, value_name = "NAME")]
    filename: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
}

impl Put {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let url = Url::parse(&self.url).with_context(|| format!("{} is not a URL", self.url))?;
        let body = self.body()?;
        anyhow::ensure!(!body.is_empty(), "{} is empty", self.file.display());
        let limit = self.store.ingest.max_body_bytes();
        anyhow::ensure!(
            body.len() <= limit,
            "{} has {} bytes, and the limit is {limit}; see --max-body-mb",
            self.file.display(),
            body.len()
        );
        let mimetype = media_type(self.mimetype.as_deref(), &body.head(8192)?);
        let own_name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "-");
        let filename = self.filename.or(own_name).as_deref().and_then(clean_filename);
        let filename = filename.unwrap_or_else(|| filename_for(None, &url, &mimetype));
        let (cache, bar) = self.store.open().await?;
        let put = cache.put(&self.url, body, &mimetype, &filename).await;
        bar.finish_and_clear();
        let outcome = put?;
        if let Some(why) = &outcome.not_stored {
            anyhow::bail!("nothing was stored for {}: {}", self.url, media_cache::describe(why));
        }
        let (media, size) = (&outcome.media, HumanBytes(outcome.media.body.len()));
        let done = if outcome.known { "kept what was stored before" } else { "stored" };
        println!("{done}: {}, {}, {size}", media.filename(), media.mimetype());
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }

    fn body(&self) -> anyhow::Result<Blob> {
        let read = || {
            if self.file.as_os_str() == "-" {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes)?;
                return Ok(Blob::from(bytes));
            }
            Blob::from_file(std::fs::File::open(&self.file)?.into())
        };
        read().with_context(|| format!("cannot read {}", self.file.display()))
    }
}
